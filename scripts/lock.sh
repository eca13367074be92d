#!/bin/sh
# Write requirements/*.txt: every version that the checks and `make run` use, with hashes. Arguments go to the resolver.
set -eu
cd "$(dirname "$0")/.."

tools=build/lock
[ -x "$tools/bin/uv" ] || {
    scripts/python.sh -m venv "$tools"
    "$tools/bin/python" -m pip --disable-pip-version-check install -qq --require-hashes -r requirements/lock.txt
}

# A developer's own settings (another index, another Python) must not show in the result.
compile() {
    env -u UV_PYTHON -u UV_INDEX -u UV_DEFAULT_INDEX -u UV_INDEX_URL -u UV_EXTRA_INDEX_URL -u UV_FIND_LINKS \
        "$tools/bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
        --custom-compile-command "make lock" "$@"
}

compile "$@" pyproject.toml --extra app --group build --output-file requirements/app.txt
compile "$@" pyproject.toml --extra all --group dev --constraints requirements/app.txt --output-file requirements/dev.txt
compile "$@" requirements/models.in --no-deps --output-file requirements/models.txt
compile "$@" pyproject.toml --extra litellm --group test --output-file requirements/litellm.txt
compile "$@" requirements/bench.in pyproject.toml --extra app --constraints requirements/app.txt --output-file requirements/bench.txt
compile "$@" requirements/bench-ray.in --constraints requirements/bench.txt --output-file requirements/bench-ray.txt
compile "$@" requirements/weights.in --no-deps --output-file requirements/weights.txt
compile "$@" requirements/lock.in --output-file requirements/lock.txt
