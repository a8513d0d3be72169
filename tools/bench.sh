#!/bin/bash
# bench.sh BUILD-DIR [NAME...]: all benchmarks, or produce, capture, catchup, latency, startup, debezium. Each prints RESULT lines: ratios to a peer
# measured in the same run, with their spread.
set -uo pipefail
cd "$(dirname "$0")/.."
build=$1; shift
want=${*:-startup produce catchup capture latency debezium}
python=$(tools/venv.sh) || exit 1
export WEIR=${WEIR:-$PWD/build/weir}
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null; rm -rf "$work"' EXIT

# Memory that a virtual machine has never used is slow to write the first time, ten times slower than the page cache is
# otherwise: use as much as the run will need once, so that rounds measure programs and not the host.
warm() { dd if=/dev/zero of="$work/warm" bs=1M count="$1" status=none; rm -f "$work/warm"; }

server() { # name: starts weir, sets kafka, connect, pid
    "$WEIR" server --data-dir "$work/$1" --kafka-listen 127.0.0.1:0 --connect-listen 127.0.0.1:0 --web-listen 127.0.0.1:0 --log-level warn >"$work/$1.out" &
    pid=$!
    for _ in $(seq 100); do grep -q 'Web page' "$work/$1.out" && break; sleep 0.05; done
    kafka=127.0.0.1:$(awk '/^  Kafka /{print $2}' "$work/$1.out" | sed 's/.*://') connect=$(awk '/^  Connect /{print $2}' "$work/$1.out")
}

for name in $want; do
    echo "== $name"
    case $name in
    startup) "$python" tests/bench/startup.py ;;
    produce) warm 3000; server produce; "$build/bench-produce" "$kafka" "$pid" "${MESSAGES:-2000000}" "${BENCH_ROUNDS:-5}"; kill "$pid"; wait "$pid" ;;
    capture) warm 3000; "$python" tests/bench/capture.py "$build" "${ROWS:-500000}" "${BENCH_ROUNDS:-3}" ;;
    catchup) warm 3000; "$build/bench-catchup" "${ROWS:-500000}" "${BENCH_ROUNDS:-3}" ;;
    latency) "$python" tests/bench/latency.py "${COMMITS:-1000}" "${BENCH_ROUNDS:-3}" ;;
    debezium) # side by side with the real one, where it can be had
        shared=${WEIR_SHARED:-../shared}
        [[ -x $shared/oracle/stack.sh ]] || { echo "debezium: skipped, the real programs are not beside this clone"; continue; }
        "$shared/oracle/stack.sh" start "$work/oracle" >"$work/oracle.out" 2>&1 || { tail -3 "$work/oracle.out"; continue; }
        server cdc
        "$python" "$shared/bench/cdc.py" "weir=$kafka,$connect,$pid" \
            "debezium=127.0.0.1:19092,http://127.0.0.1:18083,$(cat "$work/oracle/kafka.pid")+$(cat "$work/oracle/connect.pid")" --rows "${CDC_ROWS:-200000}" --rounds 2
        "$shared/oracle/stack.sh" stop "$work/oracle"; kill "$pid"; wait "$pid" ;;
    esac
done
