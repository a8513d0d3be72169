#!/bin/bash
# check-ui.sh [--short]: the web page in headless Chromium against a fresh weir on free ports. WEIR names the
# program (build/weir), CHROMIUM the browser. Without browser or npm it is skipped, with STRICT=1 that fails.
# Pictures of failures go to build/ui. Closes with 'N passed, N failed'.
set -uo pipefail
cd "$(dirname "$0")/.."
export WEIR=${WEIR:-$PWD/build/weir}
export CHROMIUM=${CHROMIUM:-$(command -v chromium || command -v chromium-browser)}

skip() {
    if [[ -n ${STRICT:-} ]]; then echo "missing: $1"; echo '0 passed, 1 failed'; exit 1; fi
    echo "skipped: UI tests, $1"
    exit 0
}
[[ -x $CHROMIUM ]] || skip 'no chromium'
command -v npm >/dev/null || skip 'no npm'
"$WEIR" --version >/dev/null || { echo "no program at $WEIR"; echo '0 passed, 1 failed'; exit 1; }

modules=tests/ui/node_modules
if [[ ! $modules/.package-lock.json -nt tests/ui/package-lock.json ]]; then
    (cd tests/ui && npm ci --ignore-scripts --no-progress --loglevel=error) >&2 || skip 'npm cannot get its packages'
    touch "$modules/.package-lock.json"
fi
export UI_FAILURES=$PWD/build/ui
rm -rf "$UI_FAILURES" && mkdir -p "$UI_FAILURES"
exec timeout 600 node tests/ui/run.mjs "$@"
