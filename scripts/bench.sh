#!/bin/sh
# Run the benchmarks in an environment of their own, beside the peers that they name. Arguments go to benchmarks/.
set -eu
cd "$(dirname "$0")/.."

environment=build/bench
lock=requirements/bench.txt
cmp -s "$lock" "$environment/made-from.txt" || {
    echo "Installing what $lock pins (once; some minutes) …"
    rm -rf "$environment"
    scripts/python.sh -m venv "$environment"
    "$environment/bin/python" -m pip --disable-pip-version-check install -qq --require-hashes -r "$lock"
    cp "$lock" "$environment/made-from.txt"
}
PYTHONPATH=src exec "$environment/bin/python" -m benchmarks "$@"
