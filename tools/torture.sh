#!/bin/bash
# torture.sh [ROUNDS]: kill -9 in a loop, under produce load and (2 in 5 rounds) under capture load and under
# transactions; kills and power cuts at each point between an intent and its commit (half as many of each); restarts of
# the database during snapshot and streaming (a fifth: 10 by itself, 500 with ROUNDS=2500). Compares what was
# acknowledged, or what a table holds, with what is stored. Closes with 'N passed, N failed'.
set -uo pipefail
cd "$(dirname "$0")/.."
ROUNDS=${1:-50} LIVE_TIMEOUT=${LIVE_TIMEOUT:-36000} exec tools/live.sh -m torture -n "${WORKERS:-3}" --dist loadfile # they wait, most of the time
