"""Build the wheel and look at what somebody who installs it gets: its files, its import, its types.

The wheel goes into an environment of its own. There it is imported with nothing else installed; then the packages of
the extras are put beside it, and pyright says whether every public name has a whole type.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "package"
INSTALLED = BUILD / "venv"
PYTHON = INSTALLED / "bin" / "python"


def main() -> None:
    """Build, install and look."""
    shutil.rmtree(BUILD, ignore_errors=True)
    BUILD.mkdir(parents=True)
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(BUILD), cwd=ROOT)
    (wheel,) = BUILD.glob("*.whl")
    check_files(wheel)
    install(wheel)
    run(str(PYTHON), "-I", "-W", "error", "-c", "import sideband, sideband.serving, sideband.testing")
    show_extras()
    # The command line is a program: nobody's code is typed against it.
    shutil.rmtree(site_packages(INSTALLED) / "sideband" / "app")
    # A configuration of its own keeps pyright from the tree's, which leads to the sources.
    (BUILD / "pyrightconfig.json").write_text("{}", encoding="utf-8")
    run(sys.executable, "-m", "pyright", "--verifytypes", "sideband", "--ignoreexternal")


def check_files(wheel: Path) -> None:
    """Stop unless the wheel holds the marker of a typed package, the licence, and the package alone."""
    names = zipfile.ZipFile(wheel).namelist()
    folders = {name.split("/")[0] for name in names}
    if "sideband/py.typed" not in names or not any(name.endswith("/LICENSE") for name in names):
        sys.exit(f"{wheel.name} lacks py.typed or the licence.")
    if any(folder != "sideband" and not folder.endswith(".dist-info") for folder in folders):
        sys.exit(f"{wheel.name} holds more than the package: {', '.join(sorted(folders))}.")


def install(wheel: Path) -> None:
    """Put the wheel into an empty environment, without a network and without what it depends on."""
    run(sys.executable, "-m", "venv", "--without-pip", str(INSTALLED))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site_packages(INSTALLED))


def show_extras() -> None:
    """Let the environment see the packages that this Python has, but not this tree's own sources."""
    (site_packages(INSTALLED) / "extras.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")


def site_packages(environment: Path) -> Path:
    """Return where the environment keeps its packages."""
    return Path(
        sysconfig.get_path("purelib", "venv", {"base": str(environment), "platbase": str(environment)})
    )


def run(*command: str, cwd: Path = BUILD) -> None:
    """Run a command where it cannot see this tree's own sources, and stop with its exit code where it fails."""
    # pyright's --verifytypes looks at the first Python of PATH alone.
    environment = os.environ | {"PATH": os.pathsep.join([str(PYTHON.parent), os.environ["PATH"]])}
    code = subprocess.run(command, cwd=cwd, env=environment, check=False).returncode
    if code:
        sys.exit(code)


if __name__ == "__main__":
    main()
