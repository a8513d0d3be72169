#!/bin/bash
# torture.sh [ROUNDS]: kill -9 in a loop, under produce load and (2 in 5 rounds) under capture load and under
# transactions; compares what was acknowledged with what is stored. Closes with 'N passed, N failed'.
set -uo pipefail
cd "$(dirname "$0")/.."
ROUNDS=${1:-50} LIVE_TIMEOUT=${LIVE_TIMEOUT:-36000} exec tools/live.sh -m torture
