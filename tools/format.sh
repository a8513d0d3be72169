#!/bin/bash
# clang-format 14 over the C files (tables in .def files are aligned by hand). --check only says what differs.
set -u
cd "$(dirname "$0")/.."
mapfile -t files < <(git ls-files -co --exclude-standard 'src/*.[ch]' 'tests/*.[ch]')
if [[ ${1:-} == --check ]]; then
    clang-format --dry-run --Werror "${files[@]}" && echo 'format: ok'
else
    clang-format -i "${files[@]}"
fi
