#!/bin/sh
# Run the benchmarks in an environment of their own, beside the peers that they name. Arguments go to benchmarks/.
set -eu
cd "$(dirname "$0")/.."

environment=build/bench

install() {
    lock=requirements/$1
    cmp -s "$lock" "$environment/$1" && return
    echo "Installing what $lock pins (once; some minutes) …"
    # What the others need changes with it.
    [ "$1" = bench.txt ] && rm -rf "$environment" && scripts/python.sh -m venv "$environment"
    "$environment/bin/python" -m pip --disable-pip-version-check install -qq --require-hashes -r "$lock" || {
        echo "Not all of it can be had here. Installing one package after the other …"
        "$environment/bin/python" scripts/install_each.py "$environment/bin/python" "$lock"
    }
    cp "$lock" "$environment/$1"
}

install bench.txt
case " $* " in
*" --quick "*) ;;
*) install bench-ray.txt ;;
esac
PYTHONPATH=src exec "$environment/bin/python" -m benchmarks "$@"
