"""Rigs that are told on from the same moment as often as a test wants."""

import zlib
from pathlib import Path

import pytest

from tests.conftest import Databases
from tests.harness.copier import Copies


@pytest.fixture
def copies(request: pytest.FixtureRequest, kind: str, databases: Databases, tmp_path: Path) -> Copies:
    """On the kind of database that the test is for."""
    server = request.getfixturevalue("postgres_server") if kind == "postgresql" else None
    return Copies(databases, tmp_path, server)


# Of what is asked for at every step and killed, `make test-slow` runs one in so many: always the same ones.
PART_OF_STEPS = 48


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """After tests/conftest.py has chosen its larger part."""
    for item in items:
        killed = "copies" in getattr(item, "fixturenames", ()) and "lane" in getattr(item, "fixturenames", ())
        if killed and item.get_closest_marker("slow") and zlib.crc32(item.nodeid.encode()) % PART_OF_STEPS:
            item.own_markers = [mark for mark in item.own_markers if mark.name != "slow"]
            item.add_marker("crash")
