"""The bill of materials and the audit: from what is installed, and from a database that is at hand."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

CI = Path(__file__).resolve().parents[2] / ".ci"
HTTPX: dict[str, Any] = {"package": {"ecosystem": "PyPI", "name": "HTTPX"}}
EVENTS = [{"introduced": "0"}, {"fixed": "999"}]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)


def test_the_bill_of_materials_has_every_package_with_its_licence_and_its_needs(tmp_path: Path) -> None:
    assert run(str(CI / "sbom.py"), str(tmp_path)).returncode == 0
    document = json.loads((tmp_path / "sbom.cdx.json").read_text())
    components = {component["name"]: component for component in document["components"]}
    assert (document["bomFormat"], document["metadata"]["component"]["name"]) == ("CycloneDX", "cutover")
    assert {"prefect", "httpx", "sqlalchemy", "cryptography"} <= components.keys()
    assert all(component["licenses"] and component["purl"].startswith("pkg:pypi/") for component in components.values())
    assert components["httpx"]["properties"], "the hashes of the lock"
    needs = {entry["ref"]: entry["dependsOn"] for entry in document["dependencies"]}
    ours = needs[document["metadata"]["component"]["purl"]]
    assert components["httpx"]["purl"] in ours
    assert components["httpcore"]["purl"] in needs[components["httpx"]["purl"]]
    licences = (tmp_path / "licences.txt").read_text()
    assert "httpx" in licences
    before = (tmp_path / "sbom.cdx.json").read_bytes()
    run(str(CI / "sbom.py"), str(tmp_path))
    assert (tmp_path / "sbom.cdx.json").read_bytes() == before


@pytest.mark.parametrize(
    ("affected", "exit_code"),
    [
        (HTTPX | {"ranges": [{"type": "ECOSYSTEM", "events": EVENTS}]}, 1),
        (HTTPX | {"versions": ["0.28.1"]}, 1),
        (HTTPX | {"versions": ["0.1.0"], "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "999"}]}]}, 0),
        (HTTPX | {"ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"last_affected": "0.2"}]}]}, 0),
        ({"package": {"ecosystem": "npm", "name": "httpx"}, "versions": ["0.28.1"]}, 0),
    ],
)
def test_an_audit_compares_with_the_database_that_it_is_given(
    tmp_path: Path, affected: dict[str, Any], exit_code: int
) -> None:
    record = json.dumps({"id": "PYSEC-1", "summary": "planted", "affected": [affected]})
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("PYSEC-1.json", record)
    done = run(str(CI / "audit.py"), str(tmp_path / "all.zip"))
    assert (done.returncode, "PYSEC-1: planted" in done.stdout) == (exit_code, exit_code == 1)


@pytest.mark.parametrize("given", [[], ["/no/such/database.zip"]])
def test_an_audit_without_a_database_says_that_nothing_was_audited(given: list[str]) -> None:
    done = run(str(CI / "audit.py"), *given)
    assert (done.returncode, "so nothing was audited" in done.stdout) == (2, True)
