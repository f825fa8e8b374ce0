"""One sandbox for the tests of a module that only read; a home folder for each test."""

import asyncio
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.cli.side_effects import MakeOperator
from tests.harness.cli_fixture import CliFixture, SandboxProcess, build_cli_fixture, run_sandbox
from tests.harness.operator import Operator, build_operator


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.slow])])
def database_url(request: pytest.FixtureRequest) -> str:
    """SQLite in `make test`, PostgreSQL in `make test-slow`: the ledger below the commands has tests on both."""
    return str(request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url"))


@pytest.fixture
def make_operator(tmp_path: Path, database_url: str) -> MakeOperator:
    """Builds an operator with nothing imported; the options are those of `build_harness`."""

    def make(**how: Any) -> Operator:
        return asyncio.run(build_operator(tmp_path / "home", database_url, **how))

    return make


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxProcess]:
    with run_sandbox("--numbers", "3", "--kinds", "healthy,no_backup,on_cloud", "--seed", "5") as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, sandbox: SandboxProcess) -> Path:
    """A home folder with the fleet imported."""
    cli = build_cli_fixture(tmp_path_factory.mktemp("template"), sandbox)
    assert cli.cutover("import", cli.inventory()).exit_code == 0
    return cli.home


@pytest.fixture
def empty_cli(tmp_path: Path, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch) -> CliFixture:
    """A home folder with nothing imported."""
    for name in ("CUTOVER_DATABASE_URL", "CUTOVER_MASTER_KEY"):
        monkeypatch.delenv(name, raising=False)
    return build_cli_fixture(tmp_path / "home", sandbox)


@pytest.fixture
def cli(tmp_path: Path, sandbox: SandboxProcess, template: Path) -> CliFixture:
    """A home folder with the fleet imported. It is a copy that takes itself for the one home there is."""
    shutil.copytree(template, tmp_path / "home")
    with closing(sqlite3.connect(tmp_path / "home" / "cutover.db")) as database, database:
        database.execute("UPDATE home SET place = NULL")
    return build_cli_fixture(tmp_path / "home", sandbox)
