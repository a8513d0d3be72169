#!/bin/bash
# Prints the python of the tests' virtual environment (build/venv), made on first use and again when
# tests/live/requirements.txt changes.
set -euo pipefail
cd "$(dirname "$0")/.."
want=tests/live/requirements.txt at=build/venv
if ! cmp -s "$want" "$at/requirements.txt"; then
    python3 -m venv "$at" >&2
    "$at/bin/python" -m pip install -q --disable-pip-version-check -r "$want" >&2
    cp "$want" "$at/requirements.txt"
fi
echo "$PWD/$at/bin/python"
