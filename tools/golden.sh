#!/bin/bash
# golden.sh [CASE...]: starts weir on free ports and compares it with the recorded answers of the real programs,
# for the cases given or those of tests/golden.list. A row `case  # differs: why` names a fault of the original
# that weir does not copy; it is not run. Closes with 'N passed, N failed'.
set -uo pipefail
cd "$(dirname "$0")/.."
shared=${WEIR_SHARED:-../shared}
if [[ ! -d $shared/golden ]]; then
    echo "golden: skipped, the recordings are not beside this clone"
    [[ -z ${STRICT:-} ]]
    exit
fi
python=$(tools/venv.sh) || exit 1
mapfile -t cases < <(if [[ $# -gt 0 ]]; then printf '%s\n' "$@"; else grep -vE '^(#|$)|# differs:' tests/golden.list | awk '{print $1}'; fi)
[[ ${#cases[@]} -gt 0 ]] || { echo "0 passed, 0 failed"; exit 0; }
work=$(mktemp -d) weir=${WEIR:-$PWD/build/weir} pid=
# Below the range that the kernel takes the ports of outgoing connections from.
offset=$((-(4000 + RANDOM % 16000)))
cleanup() {
    [[ -n $pid ]] && kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
    for db in "$work"/db/*/; do "$shared/services/db.sh" stop "$db" 2>/dev/null; done
    rm -rf "$work"
}
trap cleanup EXIT
# Improvements that a recording would show are switched off.
"$weir" server --data-dir "$work/data" --kafka-listen 127.0.0.1:0 --connect-listen 127.0.0.1:0 --web-listen 127.0.0.1:0 \
    --set replication.factor.clamp=false --set exactly.once.source.support=disabled >"$work/out" 2>"$work/log" &
pid=$!
for _ in $(seq 100); do grep -q 'Web page' "$work/out" && break; kill -0 $pid 2>/dev/null || break; sleep 0.1; done
kafka=$(awk '/^  Kafka /{print $2}' "$work/out") connect=$(awk '/^  Connect /{print $2}' "$work/out")
[[ -n $connect ]] || { cat "$work/out" "$work/log"; echo "0 passed, 1 failed"; exit 1; }
(cd "$shared/golden" && "$python" -B golden.py check --bootstrap "127.0.0.1:${kafka##*:}" --connect "$connect" --work "$work/db" \
    --port-offset "$offset" ${GOLDEN_OPTIONS:-} "${cases[@]}") 2>&1 | tee "$work/result"
status=${PIPESTATUS[0]}
[[ $status != 0 ]] && { mkdir -p build/test; cp "$work/log" build/test/golden-weir.log; echo "--- weir log (tail) ---"; tail -40 "$work/log"; tail -1 "$work/result"; }
exit "$status"
