import shutil
from pathlib import Path

import pytest

from tests.runbooks.execution import RunbookExecution


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.slow])])
def runbook(request: pytest.FixtureRequest, tmp_path: Path, sqlite_template: Path) -> RunbookExecution:
    """The page that the test is named for: `test_budget_spent` executes budget-spent.md.

    Each of its fleets gets a database of its own, of the kind that the parameter names.
    """
    server = request.getfixturevalue("postgres_server") if request.param == "postgresql" else None
    made: list[Path] = []

    def new_database() -> tuple[Path, str]:
        folder = tmp_path / str(len(made) + 1)
        made.append(folder)
        if server is None:
            path = folder.with_suffix(".db")
            shutil.copy(sqlite_template, path)
            return folder, f"sqlite+aiosqlite:///{path}"
        name = server.new_database("upgraded")
        request.addfinalizer(lambda: server.drop(name))
        return folder, server.url(name)

    page = request.function.__name__.removeprefix("test_").replace("_", "-")
    return RunbookExecution(page, new_database)
