"""One sandbox for the tests that only read; a desk for each test."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.side_effects import Make
from tests.harness.cli_fixture import Desk, Sandbox, desk, sandbox
from tests.harness.operator import Operator, make_operator


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.slow])])
def database_url(request: pytest.FixtureRequest) -> str:
    """Verbs reach it through the ledger, which the tests of every day try on both: here the other one is slow."""
    return str(request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url"))


@pytest.fixture
def operator(tmp_path: Path, database_url: str) -> Make:
    """`operator(kinds=[...], world=...)`: a desk with nothing imported, on either database."""

    def made(**how: Any) -> Operator:
        return asyncio.run(make_operator(tmp_path / "home", database_url, **how))

    return made


@pytest.fixture(scope="module")
def far() -> Iterator[Sandbox]:
    with sandbox("--numbers", "3", "--kinds", "healthy,no_backup,on_cloud", "--seed", "5") as one:
        yield one


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, far: Sandbox) -> Path:
    """A home with the fleet taken in."""
    made = desk(tmp_path_factory.mktemp("template"), far)
    assert made.cutover("import", made.inventory()).code == 0
    return made.home


@pytest.fixture
def empty(tmp_path: Path, far: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk before anything was imported."""
    for name in ("CUTOVER_DATABASE_URL", "CUTOVER_MASTER_KEY"):
        monkeypatch.delenv(name, raising=False)
    return desk(tmp_path / "home", far)


@pytest.fixture
def manned(tmp_path: Path, far: Sandbox, template: Path) -> Desk:
    """A desk with the fleet taken in."""
    shutil.copytree(template, tmp_path / "home")
    return desk(tmp_path / "home", far)
