"""Look in every tracked file for what is true of one machine alone: a registry's host, or a path outside the tree."""

from __future__ import annotations

import subprocess
import sys

# The brackets keep this file from matching itself.
HOSTS = r"pypi\.[o]rg|pythonhoste[d]|registry\.npmj[s]|deb\.debia[n]"
PATHS = r"(^|[^A-Za-z0-9_.~-])/(wor[k]|roo[t]|tm[p]|hom[e]|Users)/|/opt/(pyp[i]|wheel[s])"
LOCKS_WITH_HOSTS = ["uv.lock", "pylock.toml"]


def main() -> int:
    """Name the places and return how many kinds of them there are."""
    grep = subprocess.run(["git", "grep", "-nIE", f"{HOSTS}|{PATHS}"], check=False)
    # 1 says that nothing was found; more than that, that git could not look.
    if grep.returncode > 1:
        return grep.returncode
    tracked = subprocess.run(
        ["git", "ls-files", *LOCKS_WITH_HOSTS], check=True, capture_output=True, text=True
    ).stdout
    if tracked:
        print(
            f"These lock files write registry addresses: {tracked.split()}. `make lock` makes ones that do not."
        )
    return (grep.returncode == 0) + bool(tracked)


if __name__ == "__main__":
    sys.exit(main())
