#!/bin/bash
# demo-check.sh [mariadb|mongodb]: the demo, headless, on free ports and a fresh directory: status 0 only if all that changed,
# and all that the shop put into its outbox, was consumed back over the Kafka protocol. mongod: WEIR_MONGOD, the one in
# PATH, or the one that ../shared gets; without any it is skipped, with STRICT=1 that fails.
# Closes with 'N passed, N failed'.
set -uo pipefail
cd "$(dirname "$0")/.."
services=${WEIR_SHARED:-../shared}/services/db.sh
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0

check() { # options of the demo
    echo "--- weir demo $*"
    if ${WEIR:-build/weir} demo "$@" --headless --duration "${DURATION:-8}" --data-dir "$dir" \
        --kafka-listen 127.0.0.1:0 --connect-listen 127.0.0.1:0 --web-listen 127.0.0.1:0; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
    fi
}

skip() {
    if [[ -n ${STRICT:-} ]]; then echo "missing: $1"; failed=$((failed + 1)); else echo "skipped: $1"; fi
}

# Path of a mongod that the shared services know: they start one, and it is looked at.
shared_mongod() {
    local port
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    "$services" start mongodb-alone "$dir/services" "$port" >&2 || return
    readlink "/proc/$(cat "$dir/services/pid")/exe"
    "$services" stop "$dir/services" >&2
}

mongodb() {
    local mongod=${WEIR_MONGOD:-}
    [[ -n $mongod ]] || mongod=$(command -v mongod)
    [[ -n $mongod || ! -x $services ]] || mongod=$(shared_mongod)
    if [[ -n $mongod ]]; then check --mongodb --mongod "$mongod"; else skip 'weir demo --mongodb, no mongod is to be had here'; fi
}

[[ ${1:-mariadb} != mariadb ]] || check
[[ ${1:-mongodb} != mongodb ]] || mongodb
echo "$passed passed, $failed failed"
[[ $failed = 0 ]]
