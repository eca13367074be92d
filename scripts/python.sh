#!/bin/sh
# Run the first Python that is new enough: scripts/python.sh FILE ARGUMENT…
# PYTHON names one; otherwise the oldest supported version comes first, since that is what the checks run on.
set -eu

usable='import sys
try:
    import venv
    try: import ensurepip
    except ImportError: import pip
except ImportError: sys.exit(1)
sys.exit(not (3, 11) <= sys.version_info < (3, 15))'

for candidate in ${PYTHON:+"$PYTHON"} python3.11 python3.12 python3.13 python3.14 python3 python; do
    if "$candidate" -c "$usable" >/dev/null 2>&1; then
        exec "$candidate" "$@"
    fi
    if [ "$candidate" = "${PYTHON:-}" ]; then
        echo "PYTHON=$PYTHON is not a Python 3.11 to 3.14 with venv and pip." >&2
        exit 1
    fi
done
echo "No Python 3.11 to 3.14 with venv and pip was found. Install one, or name it: make PYTHON=/path/to/python3.11 …" >&2
exit 1
