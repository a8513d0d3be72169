#!/bin/bash
# bench.sh BUILD-DIR [NAME...]: all benchmarks, or startup, idle, partitions, produce, fetch, roundtrip, catchup, capture, capture-mongo, threads, transforms, latency, debezium. Each prints
# RESULT lines: ratios to a peer measured in the same run, with their spread. The real Kafka is a peer of produce, fetch and roundtrip
# where it can be had beside this clone; WEIR_BENCH_KAFKA=0 leaves it out, 1 insists on it.
set -uo pipefail
cd "$(dirname "$0")/.."
build=$(realpath "$1"); shift
want=${*:-startup idle produce fetch roundtrip catchup capture capture-mongo transforms latency debezium}
python=$(tools/venv.sh) || exit 1
export WEIR=${WEIR:-$PWD/build/weir}
work=$(mktemp -d)
shared=${WEIR_SHARED:-../shared}
kafka_dir=
kafka_stop() { [[ -z $kafka_dir ]] || "$shared/oracle/stack.sh" stop "$kafka_dir"; kafka_dir= peer=; }
trap 'kafka_stop; kill $(jobs -p) 2>/dev/null; rm -rf "$work"' EXIT

# Memory that a virtual machine has never used is slow to write the first time, ten times slower than the page cache is
# otherwise: use as much as the run will need once, so that rounds measure programs and not the host.
warm() { dd if=/dev/zero of="$work/warm" bs=1M count="$1" status=none; rm -f "$work/warm"; }

server() { # name: starts weir, sets kafka, connect, pid
    "$WEIR" server --data-dir "$work/$1" --kafka-listen 127.0.0.1:0 --connect-listen 127.0.0.1:0 --web-listen 127.0.0.1:0 --log-level warn >"$work/$1.out" &
    pid=$!
    for _ in $(seq 100); do grep -q 'Web page' "$work/$1.out" && break; sleep 0.05; done
    kafka=127.0.0.1:$(awk '/^  Kafka /{print $2}' "$work/$1.out" | sed 's/.*://') connect=$(awk '/^  Connect /{print $2}' "$work/$1.out")
}

peer= # the real Kafka as an argument of the programs, once it runs
kafka_peer() {
    [[ -n $kafka_dir || ${WEIR_BENCH_KAFKA:-} == 0 ]] && return
    if [[ ! -x $shared/oracle/stack.sh ]]; then
        [[ ${WEIR_BENCH_KAFKA:-} != 1 ]] || { echo "the real Kafka is not beside this clone" >&2; exit 1; }
        echo "without the real Kafka: it is not beside this clone"
        return
    fi
    "$shared/oracle/stack.sh" start "$work/kafka" 19192 18183 >"$work/kafka.out" 2>&1 || { tail -3 "$work/kafka.out"; return; }
    kafka_dir=$work/kafka
    kill "$(cat "$work/kafka/connect.pid")" # Connect is no peer here
    peer=kafka=127.0.0.1:19192,$(cat "$work/kafka/kafka.pid")
}
brokers() { # starts weir as $1, and Kafka once: arguments of the programs in $targets
    kafka_peer
    server "$1"
    targets="weir=$kafka,$pid $peer"
}
stop() { kill "$pid"; wait "$pid"; }

for name in $want; do
    echo "== $name"
    [[ $name == produce || $name == fetch || $name == roundtrip ]] || kafka_stop
    case $name in
    startup) "$python" tests/bench/startup.py ;;
    partitions) "$python" tests/bench/many_partitions.py ;;
    idle) "$python" tests/bench/idle.py ;;
    produce) warm 3000; brokers produce; "$build/bench-produce" "${MESSAGES:-2000000}" "${BENCH_ROUNDS:-5}" $targets; stop ;;
    fetch) warm 3000; brokers fetch; (cd "$work" && "$build/bench-fetch" "${MEGABYTES:-1000}" "${BENCH_ROUNDS:-5}" $targets); stop ;;
    roundtrip) brokers roundtrip; "$build/bench-roundtrip" "${SECONDS_EACH:-5}" "${BENCH_ROUNDS:-3}" "${RATE:-1000}" $targets; stop ;;
    capture) warm 3000; "$python" tests/bench/capture.py "$build" "${ROWS:-500000}" "${BENCH_ROUNDS:-3}" ;;
    threads) warm 3000; "$python" tests/bench/snapshot_threads.py "${ROWS:-250000}" "${BENCH_ROUNDS:-3}" ;;
    capture-mongo) warm 2000; "$python" tests/bench/capture_mongo.py "$build" "${ROWS:-200000}" "${BENCH_ROUNDS:-3}" ;;
    catchup) warm 3000; "$build/bench-catchup" "${ROWS:-500000}" "${BENCH_ROUNDS:-3}" ;;
    transforms) "$build/bench-transform_schemas" ;;
    latency) "$python" tests/bench/latency.py "${COMMITS:-1000}" "${BENCH_ROUNDS:-3}" ;;
    debezium) # side by side with the real one, where it can be had
        [[ -x $shared/oracle/stack.sh ]] || { echo "debezium: skipped, the real programs are not beside this clone"; continue; }
        "$shared/oracle/stack.sh" start "$work/oracle" >"$work/oracle.out" 2>&1 || { tail -3 "$work/oracle.out"; continue; }
        server cdc
        "$python" "$shared/bench/cdc.py" "weir=$kafka,$connect,$pid" \
            "debezium=127.0.0.1:19092,http://127.0.0.1:18083,$(cat "$work/oracle/kafka.pid")+$(cat "$work/oracle/connect.pid")" --rows "${CDC_ROWS:-200000}" --rounds 2
        "$shared/oracle/stack.sh" stop "$work/oracle"; kill "$pid"; wait "$pid" ;;
    esac
done
