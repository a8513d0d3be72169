#!/bin/bash
# Every header compiles alone and has a guard named after its path. Arguments: compiler flags.
set -u
cd "$(dirname "$0")/.."
bad=0
while read -r h; do
    guard=WEIR_$(sed 's/^src\///; s/[^A-Za-z0-9]/_/g' <<<"$h" | tr a-z A-Z)
    grep -q "#ifndef $guard\$" "$h" || { echo "$h: guard is not $guard"; bad=1; }
    ${CC:-gcc} "$@" -MF /dev/null -Wno-unused-function -fsyntax-only -x c "$h" || { echo "$h: does not compile alone"; bad=1; }
done < <(find src -name '*.h' | sort)
[[ $bad = 0 ]] && echo 'headers: ok'
exit $bad
