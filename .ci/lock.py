"""Write requirements.lock: what pip picks for pyproject.toml with the dev extra, on every supported Python.

    .venv/bin/python .ci/lock.py             the newest of everything
    .venv/bin/python .ci/lock.py --keep      the versions of the present lock wherever they still fit

Nothing is installed: pip only resolves. A package that only some of the Pythons need gets a marker. Names, versions and
the hashes of all files of a version are written, so that other platforms install with `--require-hashes` too, and never
the address of an index: the lock installs from wherever pip finds these files. What only Prefect needs stands apart.
"""

import json
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path

from hashes import hashes_of
from installed import needed_by
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

TOP = Path(__file__).resolve().parents[1]
LOCK = TOP / "requirements.lock"
PYTHONS = ("3.11", "3.12", "3.13")
HEAD = "# Made by `make lock` from pyproject.toml; not written by hand. Installed with --require-hashes.\n"
PARTS = ("what cutover itself runs with", "what only Prefect needs", "what tests, tools and the build need")


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


def pinned() -> list[str]:
    """The present lock without its hashes; pip takes no constraints with hashes for what it only resolves."""
    return [line.rstrip(" \\") for line in LOCK.read_text().splitlines() if "==" in line and not line.startswith("#")]


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


def text_of(pins: Sequence[str]) -> str:
    """The whole lock file, of lines as `name==version; marker`."""
    pairs = [tuple(pin.partition(";")[0].strip().split("==")) for pin in pins]
    wanted: dict[str, set[str]] = {}
    for name, version in pairs:
        wanted.setdefault(name, set()).add(version)
    digests = hashes_of(wanted)
    parts: dict[str, list[str]] = {part: [] for part in PARTS}
    for pin, pair in zip(pins, pairs, strict=True):
        if not digests[pair]:
            raise SystemExit(f"{pin}: no index has a file of it that is not withdrawn")
        hashes = "".join(f" \\\n    --hash=sha256:{digest}" for digest in digests[pair])
        parts[PARTS[_part_of(pair[0])]].append(pin + hashes)
    return HEAD + "".join(f"\n# -- {part}\n" + "\n".join(entries) + "\n" for part, entries in parts.items())


def _part_of(name: str) -> int:
    """The place in PARTS, by what the installed packages say that they need."""
    project = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]
    ours = needed_by(Requirement(text) for text in project["dependencies"] if Requirement(text).name != "prefect")
    if name in ours:
        return 0
    return 1 if name in needed_by([Requirement("prefect")]) else 2


def main() -> None:
    keep = "--keep" in sys.argv[1:]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as constraints:
        constraints.write("\n".join(pinned()) if keep else "")
        constraints.flush()
        path = Path(constraints.name) if keep else None
        text = text_of(lines({python: resolved(python, path) for python in PYTHONS}))
    LOCK.write_text(text)
    print(f"{LOCK.name}: {text.count('==')} packages for Python {', '.join(PYTHONS)}")


if __name__ == "__main__":
    main()
