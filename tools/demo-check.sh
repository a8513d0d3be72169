#!/bin/bash
# The demo, headless, on free ports and a fresh directory: status 0 only if all that changed, and all that the shop put
# into its outbox, was consumed back over the Kafka protocol.
set -uo pipefail
cd "$(dirname "$0")/.."
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
${WEIR:-build/weir} demo --headless --duration "${DURATION:-8}" --data-dir "$dir" \
    --kafka-listen 127.0.0.1:0 --connect-listen 127.0.0.1:0 --web-listen 127.0.0.1:0
