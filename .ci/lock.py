"""Write requirements.lock: what pip picks for pyproject.toml with the dev extra, on every supported Python.

    .venv/bin/python .ci/lock.py             the newest of everything
    .venv/bin/python .ci/lock.py --keep      the versions of the present lock wherever they still fit

Nothing is installed: pip only resolves. A package that only some of the Pythons need gets a marker. Only names and
versions are written, never the address of an index, so that the lock installs from wherever pip finds packages.
"""

import json
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from packaging.utils import canonicalize_name

TOP = Path(__file__).resolve().parents[1]
LOCK = TOP / "requirements.lock"
PYTHONS = ("3.11", "3.12", "3.13")
HEAD = "# Made by `make lock` from pyproject.toml; not written by hand.\n"


def requirements() -> list[str]:
    """Everything that `make setup` installs: runtime dependencies, the dev extra, and what builds the package."""
    pyproject = tomllib.loads((TOP / "pyproject.toml").read_text())
    project = pyproject["project"]
    dev = project["optional-dependencies"]["dev"]
    return [*project["dependencies"], *dev, *pyproject["build-system"]["requires"]]


def resolved(python: str, constraints: Path | None) -> dict[str, str]:
    """Name to version, as pip would install them on that Python."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"]
        command += ["--report", str(report), "--target", str(Path(folder, "none"))]
        command += ["--python-version", python, "--only-binary", ":all:"]
        command += ["--constraint", str(constraints)] if constraints else []
        subprocess.run([*command, *requirements()], check=True)
        packages = [package["metadata"] for package in json.loads(report.read_text())["install"]]
    return {canonicalize_name(package["name"]): package["version"] for package in packages}


def lines(by_python: dict[str, dict[str, str]]) -> list[str]:
    """One line for each package and version; a marker where only some of the Pythons have it."""
    pythons_of: dict[tuple[str, str], list[str]] = {}
    for python, versions in by_python.items():
        for pin in versions.items():
            pythons_of.setdefault(pin, []).append(python)
    return [f"{name}=={version}{_marker(pythons)}" for (name, version), pythons in sorted(pythons_of.items())]


def _marker(pythons: list[str]) -> str:
    """The Pythons that need a package are always the older or the newer ones of those supported."""
    if pythons == list(PYTHONS):
        return ""
    if pythons[-1] == PYTHONS[-1]:
        return f'; python_version >= "{pythons[0]}"'
    if pythons[0] == PYTHONS[0]:
        return f'; python_version < "{PYTHONS[len(pythons)]}"'
    raise SystemExit(f"a package is needed on {pythons} only: write its marker by hand")


def main() -> None:
    constraints = LOCK if "--keep" in sys.argv[1:] else None
    text = HEAD + "\n".join(lines({python: resolved(python, constraints) for python in PYTHONS})) + "\n"
    LOCK.write_text(text)
    print(f"{LOCK.name}: {text.count('==')} packages for Python {', '.join(PYTHONS)}")


if __name__ == "__main__":
    main()
