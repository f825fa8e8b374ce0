"""Write a bill of materials (CycloneDX 1.5, JSON) and a list of licences, from what is installed beside this Python.

    .venv/bin/python .ci/sbom.py build      build/sbom.cdx.json and build/licences.txt

https://cyclonedx.org/docs/1.5/json/
"""

import json
import re
import sys
from collections.abc import Sequence
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

from installed import licence, needs, packages
from packaging.utils import canonicalize_name

TOP = Path(__file__).resolve().parents[1]
LOCK = TOP / "requirements.lock"
SPDX = re.compile(r"[A-Za-z0-9.+-]+")


def sbom(found: Sequence[Distribution], hashes: dict[str, list[str]]) -> dict[str, Any]:
    """The document. It has no time in it, so that the same packages give the same file."""
    names = {canonicalize_name(package.metadata["Name"]): package for package in found}
    ours = names["cutover"]
    rest = [package for name, package in names.items() if name != "cutover"]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": _component(ours, hashes) | {"type": "application"}},
        "components": [_component(package, hashes) for package in rest],
        "dependencies": [
            {"ref": _ref(package), "dependsOn": sorted({_ref(names[name]) for name in _needed(package) & names.keys()})}
            for package in names.values()
        ],
    }


def _component(package: Distribution, hashes: dict[str, list[str]]) -> dict[str, Any]:
    stated = licence(package)
    kind = {"id": stated} if SPDX.fullmatch(stated) and package.metadata["License-Expression"] else {"name": stated}
    expression = package.metadata["License-Expression"] and " " in stated
    name = canonicalize_name(package.metadata["Name"])
    return {
        "type": "library",
        "bom-ref": _ref(package),
        "name": name,
        "version": package.version,
        "purl": _ref(package),
        "licenses": [{"expression": stated}] if expression else [{"license": kind}],
        "properties": [{"name": "cutover:locked-sha256", "value": digest} for digest in hashes.get(name, [])],
    }


def _ref(package: Distribution) -> str:
    return f"pkg:pypi/{canonicalize_name(package.metadata['Name'])}@{package.version}"


def _needed(package: Distribution) -> set[str]:
    return {canonicalize_name(requirement.name) for requirement in needs(package)}


def locked_hashes() -> dict[str, list[str]]:
    """By name, the files that the lock allows."""
    hashes: dict[str, list[str]] = {}
    name = ""
    for line in LOCK.read_text().splitlines():
        if "==" in line:
            name = line.partition("==")[0]
        elif "--hash=sha256:" in line:
            hashes.setdefault(name, []).append(line.partition("sha256:")[2].rstrip(" \\"))
    return hashes


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    found = packages()
    (folder / "sbom.cdx.json").write_text(json.dumps(sbom(found, locked_hashes()), indent=1) + "\n")
    lines = [f"{package.metadata['Name']} {package.version}: {licence(package)}" for package in found]
    (folder / "licences.txt").write_text("\n".join(lines) + "\n")
    unstated = [package.metadata["Name"] for package in found if licence(package) == "not stated"]
    print(f"{folder}/sbom.cdx.json and {folder}/licences.txt: {len(found)} packages")
    if unstated:
        print(f"without a licence in their metadata: {', '.join(unstated)}")


if __name__ == "__main__":
    main()
