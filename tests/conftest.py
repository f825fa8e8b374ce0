"""Fixtures for every folder: databases of either kind, and harnesses on them."""

import os
import zlib
from pathlib import Path
from typing import Any

import pytest

from migration.scrubbing.known import KNOWN, KnownSecrets
from tests.harness.compiled_statements import share_compiled_statements
from tests.harness.copier import HarnessCopier
from tests.harness.databases import Databases, database_url, databases, sqlite_template, sqlite_url, url_of_kind
from tests.harness.in_process import Harness, MakeHarness, build_harness
from tests.harness.postgres import empty_postgres_url, postgres_server, postgres_url

__all__ = [
    "database_url",
    "databases",
    "empty_postgres_url",
    "postgres_server",
    "postgres_url",
    "sqlite_template",
    "sqlite_url",
]

# Whatever a test writes is a file of its owner alone, as an operator's files of secrets have to be.
os.umask(0o077)
share_compiled_statements()


@pytest.fixture(autouse=True)
def nothing_is_known_of_earlier_tests() -> None:
    """Secrets that an earlier test of this process has sent: a sentence may look like one of them."""
    KnownSecrets.__init__(KNOWN)


TESTS = Path(__file__).resolve().parent
# `make test-slow` runs one in so many of the tests that are marked `crash`, always the same ones.
PART_OF_MATRIX = 32
# Of those among them that interrupt a number at every step and crash, it runs one in so many.
PART_OF_STEPS = 96
# Waves of 300 numbers, minutes each: `make test-slow` runs them on SQLite, `make all-cases` on PostgreSQL too.
LARGE_WAVES = frozenset(("test_scheduled_wave.py", "test_wave_of_troubles.py"))
# In these folders `make test` runs one in so many of the cases of one test, and of its cases on PostgreSQL, always the
# same ones. A test that has no cases runs in `make test`, on SQLite at least. Of the unit tests on PostgreSQL it runs
# one in eight.
SHARED_FOLDERS = frozenset(("cli", "crash", "journeys", "runbooks", "waves"))
PART_OF_CASES, PART_ON_POSTGRES, PART_OF_UNITS_ON_POSTGRES = 6, 16, 8
# Of what it leaves, `make test-slow` runs a sixth of the cases on PostgreSQL, and of the hundreds of cases
# of these files one in so many. `make all-cases` runs the others.
MATRICES = {"test_service_record.py": 5, "test_lost_responses.py": 4, "test_interruptions.py": 4, "test_removals.py": 6}
PART_OF_POSTGRES = 6


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--part", type=_part, default=(1, 1), help="only a part of the tests, always the same ones: 2/6")


def _part(text: str) -> tuple[int, int]:
    """`2/6` as (2, 6). Raises ValueError for anything else, which pytest shows as an error of usage."""
    place, parts = map(int, text.split("/"))
    if not 1 <= place <= parts:
        raise ValueError(f"there is no part {text}")
    return place, parts


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark a part of the tests that `make all-cases` runs as slow instead, and leave out those of another `--part`."""
    _mark(items)
    place, parts = config.getoption("part")
    # By the name in reverse, or what one in so many has left above would be uneven.
    others = [item for item in items if zlib.crc32(item.nodeid[::-1].encode()) % parts != place - 1]
    if others:
        config.hook.pytest_deselected(items=others)
        left_out = set(others)
        items[:] = [item for item in items if item not in left_out]


def _mark(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("crash") and zlib.crc32(item.nodeid.encode()) % PART_OF_MATRIX == 0:
            _replace_mark(item, "crash", "slow")
        every_step = {"copier", "lane"} <= set(getattr(item, "fixturenames", ()))
        if every_step and item.get_closest_marker("slow") and zlib.crc32(item.nodeid.encode()) % PART_OF_STEPS:
            _replace_mark(item, "slow", "crash")
        if item.path.name in LARGE_WAVES and "postgresql" in item.nodeid and item.get_closest_marker("slow"):
            item.add_marker("crash")
        if not any(item.get_closest_marker(mark) for mark in ("crash", "slow")) and not _is_daily(item):
            item.add_marker("slow")
        part = MATRICES.get(item.path.name, PART_OF_POSTGRES if _is_copy(item) else 1)
        # By another name than above, or all that one in so many has left would be even.
        if item.get_closest_marker("slow") and zlib.crc32(item.name.encode()) % part:
            _replace_mark(item, "slow", "crash")


def _is_copy(item: pytest.Item) -> bool:
    """Whether it is the same as another test, on the other kind of database."""
    folder = item.path.relative_to(TESTS).parts[0]
    return "postgresql" in item.nodeid and (folder in SHARED_FOLDERS or folder in ("unit", "web"))


def _is_daily(item: pytest.Item) -> bool:
    folder = item.path.relative_to(TESTS).parts[0]
    case = item.nodeid.partition("[")[2].removesuffix("]")
    on_postgres = "postgresql" in case
    if folder == "unit" and on_postgres:
        return zlib.crc32(item.nodeid.encode()) % PART_OF_UNITS_ON_POSTGRES == 0
    if folder not in SHARED_FOLDERS or not case:
        return True
    part = PART_ON_POSTGRES if on_postgres else PART_OF_CASES if case != "sqlite" else 1
    return zlib.crc32(item.nodeid.encode()) % part == 0


def _replace_mark(item: pytest.Item, old: str, new: str) -> None:
    item.own_markers = [mark for mark in item.own_markers if mark.name != old]
    item.add_marker(new)


@pytest.fixture
def make_harness(database_url: str, tmp_path: Path) -> MakeHarness:
    """Builds the test's harness; the options are those of `build_harness`."""

    async def make(**options: Any) -> Harness:
        return await build_harness(tmp_path / "home", database_url, **options)

    return make


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.crash])])
def make_matrix_harness(request: pytest.FixtureRequest, tmp_path: Path) -> MakeHarness:
    """As `make_harness`, for hundreds of cases: `make test` runs them on SQLite, `make all-cases` on PostgreSQL too."""
    url = url_of_kind(request, request.param)

    async def make(**options: Any) -> Harness:
        return await build_harness(tmp_path / "home", url, **options)

    return make


@pytest.fixture
def copier(request: pytest.FixtureRequest, kind: str, databases: Databases, tmp_path: Path) -> HarnessCopier:
    """On the kind of database that the test's parameter `kind` names."""
    server = request.getfixturevalue("postgres_server") if kind == "postgresql" else None
    return HarnessCopier(databases, tmp_path, server)
