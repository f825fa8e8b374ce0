"""Compare the locked versions with a database of known vulnerabilities that is at hand: an export of OSV for PyPI.

    .venv/bin/python .ci/audit.py PyPI/all.zip      or a folder of its JSON files

Nothing is fetched. Exit codes: 0 none known, 1 some are, 2 no database was given or found. The format:
https://ossf.github.io/osv-schema/
"""

import json
import re
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

LOCK = Path(__file__).resolve().parents[1] / "requirements.lock"


def records(database: Path) -> Iterator[dict[str, Any]]:
    if database.is_dir():
        for path in sorted(database.glob("*.json")):
            yield json.loads(path.read_text())
        return
    with zipfile.ZipFile(database) as archive:
        for name in sorted(archive.namelist()):
            if name.endswith(".json"):
                yield json.loads(archive.read(name))


def findings(locked: dict[str, set[str]], known: Iterator[dict[str, Any]]) -> Iterator[str]:
    """A line for each locked version that a record names, unless the record was withdrawn."""
    for record in known:
        for affected in record.get("affected", ()) if not record.get("withdrawn") else ():
            package = affected.get("package", {})
            if package.get("ecosystem") != "PyPI":
                continue
            name = canonicalize_name(package.get("name", ""))
            for version in sorted(locked.get(name, ())):
                if is_affected(version, affected):
                    yield f"{name} {version}: {record['id']}: {record.get('summary', 'no summary')[:200]}"


def is_affected(version: str, affected: dict[str, Any]) -> bool:
    """By the list of versions, or by a range of `introduced`, `fixed` and `last_affected`."""
    if version in affected.get("versions", ()):
        return True
    ranges = [one for one in affected.get("ranges", ()) if one.get("type") == "ECOSYSTEM"]
    return any(_is_within(Version(version), one.get("events", ())) for one in ranges)


def _is_within(version: Version, events: list[dict[str, str]]) -> bool:
    within = False
    for event in events:
        (kind, text), *_ = event.items()
        try:
            at = Version(text)
        except InvalidVersion:
            continue
        if kind == "introduced" and version >= at:
            within = True
        elif (kind == "fixed" and version >= at) or (kind == "last_affected" and version > at):
            within = False
    return within


def locked_versions() -> dict[str, set[str]]:
    locked: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([a-z0-9-]+)==([^\s;\\]+)", LOCK.read_text(), re.MULTILINE):
        locked.setdefault(name, set()).add(version)
    return locked


def main() -> int:
    database = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    if database is None or not database.exists():
        at = f" at {database}" if database is not None else ""
        print(f"no database of known vulnerabilities is at hand{at}, so nothing was audited")
        print("give an export of OSV for PyPI: make audit OSV=all.zip")
        return 2
    locked = locked_versions()
    found = list(findings(locked, records(database)))
    print("\n".join(found) or f"none known of {len(locked)} packages")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
