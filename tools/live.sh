#!/bin/bash
# live.sh [PYTEST-OPTION...]: tests against real clients and databases. WEIR names the program (build/weir).
# Closes with 'N passed, N failed'.
set -uo pipefail
cd "$(dirname "$0")/.."
python=$(tools/venv.sh) || exit 1
if command -v npm >/dev/null && [[ ! -d build/kafkajs/node_modules/kafkajs ]]; then
    npm install --prefix build/kafkajs --no-progress --loglevel=error kafkajs@2.2.4 >&2
fi
export KAFKAJS=$PWD/build/kafkajs
export WEIR=${WEIR:-$PWD/build/weir}
out=$(mktemp)
trap 'rm -f "$out"' EXIT
"$python" -m pytest -q --timeout "${LIVE_TIMEOUT:-300}" -p no:cacheprovider tests/live "$@" | tee "$out"
status=${PIPESTATUS[0]}
last=$(grep -E '^(=+ )?[0-9]+ (passed|failed|skipped|deselected|error).* in [0-9.]+s' "$out" | tail -1) # pytest's own sum
passed=$(grep -oE '[0-9]+ passed' <<<"$last" | cut -d' ' -f1)
failed=$(grep -oE '[0-9]+ (failed|errors?)' <<<"$last" | awk '{n += $1} END {print n + 0}')
[[ $status != 0 && ${failed:-0} = 0 ]] && failed=1
echo "${passed:-0} passed, ${failed:-0} failed"
exit "$status"
