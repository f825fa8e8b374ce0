"""What a command may have changed: rows, files, and calls that were sent."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import text

from migration.app import App
from state.models import Base
from tests.harness.operator import Operator

MakeOperator = Callable[..., Operator]


def everything(operator: Operator) -> dict[str, list[Any]]:
    """Every row of every table; but each reading here counts as an opening of the home."""

    async def read(app: App) -> dict[str, list[Any]]:
        async with app.database.connect() as connection:
            return {
                table.name: [tuple(row) for row in await connection.execute(text(f"SELECT * FROM {table.name}"))]
                for table in Base.metadata.sorted_tables
                if table.name != "home"
            }

    return operator.with_app(read)


def sent(operator: Operator) -> list[str]:
    """The writes that the sandbox received, and the named commands that were run."""
    return [call.call for call in operator.harness.sandbox.world.calls if call.write] + operator.harness.commands


def files(operator: Operator) -> dict[str, bytes]:
    return {
        str(path): path.read_bytes()
        for path in operator.harness.folder.parent.rglob("*")
        if path.is_file() and "-shm" not in path.name and path.name != "home.json"
    }
