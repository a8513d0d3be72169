#!/bin/bash
# client-suites.sh [librdkafka|franz-go|kafka-python...]: other projects' own test suites against weir, and what of them the real Kafka passes
# and weir does not. They are built once, which takes minutes and needs the network; librdkafka's run takes seven minutes, franz-go's
# three. FILTER= runs a part, WEIR_OPTIONS= are further options of weir. Needs the folder with the suites beside this clone. Closes with 'N passed, N failed': N failed are lost.
set -uo pipefail
cd "$(dirname "$0")/.."
run=${WEIR_SHARED:-../shared}/suites/run.sh
[[ -x $run ]] || { echo "client-suites: skipped, they are not beside this clone"; exit 0; }
weir=${WEIR:-build/weir} work=$(mktemp -d) passed=0 lost=0
trap 'kill $(jobs -p) 2>/dev/null; rm -rf "$work"' EXIT
for suite in ${*:-kafka-python franz-go librdkafka}; do
    "$weir" server --data-dir "$work/$suite" --kafka-listen 127.0.0.1:0 --connect-listen 127.0.0.1:0 --web-listen 127.0.0.1:0 \
        --set num.partitions=4 ${WEIR_OPTIONS:-} >"$work/out" 2>"$work/$suite.log" &
    pid=$!
    for _ in $(seq 100); do grep -q 'Web page' "$work/out" && break; sleep 0.05; done
    "$run" "$suite" "127.0.0.1:$(awk '/^  Kafka /{print $2}' "$work/out" | sed 's/.*://')" "${FILTER:-}" >"$work/$suite.result" 2>&1
    grep -E '^(FAIL|LOST) ' "$work/$suite.result"
    echo "$suite: $(tail -1 "$work/$suite.result")"
    passed=$((passed + $(grep -c '^PASS ' "$work/$suite.result"))) lost=$((lost + $(grep -c '^LOST ' "$work/$suite.result")))
    kill "$pid"
    wait "$pid" || { echo "weir ended with status $?"; tail -20 "$work/$suite.log"; lost=$((lost + 1)); }
done
echo "$passed passed, $lost failed"
[[ $lost = 0 && $passed != 0 ]]
