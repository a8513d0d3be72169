#!/bin/bash
# live.sh [TEST...] [PYTEST-OPTION...]: tests against real clients and databases: all of them, or those of the files,
# folders and FILE::NAMEs that are given, as seen from here, from the repository or from tests/live; of a file its
# name alone will do. WEIR names the program (build/weir). Closes with 'N passed, N failed'.
set -uo pipefail
here=$PWD
cd "$(dirname "$0")/.." || exit 1

# Prints where FILE[::NAME] is; fails when it is nowhere.
find_test() {
    local file=${1%%::*} rest='' at
    [[ $1 == *::* ]] && rest=::${1#*::}
    for at in "$here/$file" "$file" "tests/live/$file"; do
        [[ $file = /* ]] && at=$file
        if [[ -e $at ]]; then echo "$at$rest"; return; fi
    done
    [[ $file == *.py && $file != */* ]] || return
    at=$(find tests/live -name "$file" | sort | head -1)
    [[ -n $at ]] && echo "$at$rest"
}

tests=() options=() value=
for arg in "$@"; do
    if [[ -n $value ]]; then # of the option before
        value='' options+=("$arg")
    elif [[ $arg == -* ]]; then
        options+=("$arg")
        case $arg in
        -[cknmoprW] | --dist | --timeout | --maxfail | --durations | --tb | --deselect | --ignore | --basetemp | --junitxml | --log-level) value=1 ;;
        esac
    elif found=$(find_test "$arg"); then
        tests+=("$found")
    elif [[ $arg != *.py* && $arg != */* ]]; then # of an option that is not known here
        options+=("$arg")
    else
        echo "live.sh: there is no test $arg; name a file or folder below tests/live, or use -k WORD" >&2
        exit 2
    fi
done
[[ ${#tests[@]} -gt 0 ]] || tests=(tests/live)
python=$(tools/venv.sh) || exit 1
if command -v npm >/dev/null && [[ ! -d build/kafkajs/node_modules/kafkajs ]]; then
    npm install --prefix build/kafkajs --no-progress --loglevel=error kafkajs@2.2.4 >&2
fi
export KAFKAJS=$PWD/build/kafkajs
export WEIR=${WEIR:-$PWD/build/weir}
out=$(mktemp)
trap 'rm -f "$out"' EXIT
"$python" -m pytest -q --timeout "${LIVE_TIMEOUT:-300}" -p no:cacheprovider "${tests[@]}" ${options[@]+"${options[@]}"} | tee "$out"
status=${PIPESTATUS[0]}
last=$(grep -E '^(=+ )?[0-9]+ (passed|failed|skipped|deselected|error).* in [0-9.]+s' "$out" | tail -1) # pytest's own sum
passed=$(grep -oE '[0-9]+ passed' <<<"$last" | cut -d' ' -f1)
failed=$(grep -oE '[0-9]+ (failed|errors?)' <<<"$last" | awk '{n += $1} END {print n + 0}')
[[ $status != 0 && ${failed:-0} = 0 ]] && failed=1
echo "${passed:-0} passed, ${failed:-0} failed"
exit "$status"
