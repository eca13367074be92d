"""`python -m sideband`: the command line. May import the app."""

import sys

from sideband.app.cli import main

if __name__ == "__main__":
    sys.exit(main())
