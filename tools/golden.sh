#!/bin/bash
# golden.sh [CASE...]: starts weir on free ports and compares it with the recorded answers of the real programs,
# for the cases given or those of tests/golden.list. A row `case  # differs: why` names a fault of the original
# that weir does not copy; it is not run. The whole list runs in two parts at a time, MySQL's cases beside the rest,
# each with its own weir and databases. Closes with 'N passed, N failed'.
set -uo pipefail
cd "$(dirname "$0")/.."
shared=${WEIR_SHARED:-../shared}
if [[ ! -d $shared/golden ]]; then
    echo "golden: skipped, the recordings are not beside this clone"
    [[ -z ${STRICT:-} ]]
    exit
fi

listed() { grep -vE '^(#|$)|# differs:' tests/golden.list | awk '{print $1}'; }
if [[ $# -gt 0 ]]; then
    mapfile -t first < <(printf '%s\n' "$@")
    second=()
else
    mapfile -t first < <(listed | grep '^mysql/')
    mapfile -t second < <(listed | grep -v '^mysql/')
fi
[[ $((${#first[@]} + ${#second[@]})) -gt 0 ]] || { echo "0 passed, 0 failed"; exit 0; }
python=$(tools/venv.sh) || exit 1
weir=${WEIR:-$PWD/build/weir} work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# part DIR PORT-OFFSET CASE...: in a shell of its own, so that its end takes weir and the databases along
part() {
    dir=$1 # not local: the trap reads it when the function has returned
    local offset=$2 kafka connect status
    shift 2
    mkdir -p "$dir"
    # Improvements that a recording would show are switched off.
    "$weir" server --data-dir "$dir/data" --kafka-listen 127.0.0.1:0 --connect-listen 127.0.0.1:0 --web-listen 127.0.0.1:0 \
        --set replication.factor.clamp=false --set exactly.once.source.support=disabled >"$dir/out" 2>"$dir/log" &
    pid=$!
    trap 'kill $pid 2>/dev/null && wait $pid 2>/dev/null; for db in "$dir"/db/*/; do "$shared/services/db.sh" stop "$db" 2>/dev/null; done' EXIT
    for _ in $(seq 100); do grep -q 'Web page' "$dir/out" && break; kill -0 $pid 2>/dev/null || break; sleep 0.1; done
    kafka=$(awk '/^  Kafka /{print $2}' "$dir/out") connect=$(awk '/^  Connect /{print $2}' "$dir/out")
    [[ -n $connect ]] || { cat "$dir/out" "$dir/log"; echo "0 passed, 1 failed"; return 1; }
    (cd "$shared/golden" && "$python" -B golden.py check --bootstrap "127.0.0.1:${kafka##*:}" --connect "$connect" --work "$dir/db" \
        --port-offset "$offset" ${GOLDEN_OPTIONS:-} "$@") 2>&1 | tee "$dir/result"
    status=${PIPESTATUS[0]}
    [[ $status = 0 ]] || { mkdir -p build/test; cp "$dir/log" "build/test/golden-weir-${dir##*/}.log"; echo "--- weir log (tail) ---"; tail -40 "$dir/log"; tail -1 "$dir/result"; }
    return "$status"
}

# Below the range that the kernel takes the ports of outgoing connections from; the parts are far apart.
offset=$((-(4000 + RANDOM % 7000))) failed=0
if [[ ${#second[@]} = 0 ]]; then
    (part "$work/one" "$offset" "${first[@]}")
    exit
fi
(part "$work/mysql" "$offset" "${first[@]}") >"$work/mysql.out" 2>&1 &
background=$!
(part "$work/others" $((offset - 8000)) "${second[@]}") || failed=1
wait "$background" || failed=1
cat "$work/mysql.out"
cat "$work"/*/result | grep -oE '^[0-9]+ passed, [0-9]+ failed' | awk '{p += $1; f += $3} END {printf "%d passed, %d failed\n", p, f}'
exit $failed
