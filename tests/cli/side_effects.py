"""What a command may have changed: rows, files, and calls that were sent."""

import asyncio
from collections.abc import Callable
from typing import Any

from sqlalchemy import text

from state.database import open_database
from state.models import Base
from tests.harness.operator import Operator

MakeOperator = Callable[..., Operator]


def everything(operator: Operator) -> dict[str, list[Any]]:
    """Every row of every table, read without opening the home, which would count as one more opening."""

    async def read() -> dict[str, list[Any]]:
        database = open_database(operator.harness.settings.database)
        try:
            async with database.connect() as connection:
                return {
                    table.name: [tuple(row) for row in await connection.execute(text(f"SELECT * FROM {table.name}"))]
                    for table in Base.metadata.sorted_tables
                    # Commands count their openings and the calls of Graph that their readings took there.
                    if table.name not in ("home", "call_budgets")
                }
        finally:
            await database.dispose()

    return asyncio.run(read())


def sent(operator: Operator) -> list[str]:
    """The writes that the sandbox received, and the named commands that were run."""
    return [call.call for call in operator.harness.sandbox.world.calls if call.write] + operator.harness.commands


def files(operator: Operator) -> dict[str, bytes]:
    return {
        str(path): path.read_bytes()
        for path in operator.harness.folder.parent.rglob("*")
        if path.is_file() and "-shm" not in path.name and path.name != "home.json"
    }
