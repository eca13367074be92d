#!/bin/sh
# Run LiteLLM's tests in an environment of its own: it needs older versions of the other SDKs. Arguments go to pytest.
set -eu
cd "$(dirname "$0")/.."

environment=build/litellm
lock=requirements/litellm.txt
cmp -s "$lock" "$environment/made-from.txt" || {
    rm -rf "$environment"
    scripts/python.sh -m venv "$environment"
    "$environment/bin/python" -m pip --disable-pip-version-check install -qq --require-hashes -r "$lock"
    cp "$lock" "$environment/made-from.txt"
}
PYTHONPATH=src exec "$environment/bin/python" -m pytest tests/providers/test_litellm.py "$@"
