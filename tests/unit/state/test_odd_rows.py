"""What a list reads of one number, and nobody can read, keeps no other number from being read."""

from typing import Any

import pytest

from state.ledger.fleet_rows import NewInstance
from tests.harness.ledger_fixture import LedgerFixture


def client(name: str) -> dict[str, Any]:
    return {"instance": NewInstance(name, "https://host", "admin", True, "stop", None, {"instance": name})}


@pytest.mark.parametrize("written", ["{", "not json", ""])
async def test_arguments_of_a_command_that_cannot_be_read_are_none(fixture: LedgerFixture, written: str) -> None:
    """Its command is refused then: an argument is missing."""
    if fixture.engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL takes none")
    odd, sound = await fixture.import_number(1, **client("one")), await fixture.import_number(2, **client("two"))
    await fixture.sql("UPDATE instances SET command_arguments = :text WHERE name = 'one'", text=written)
    clients = {row.migration_id: row.instance for row in await fixture.queries.positions.board()}
    arguments = {which: of.command_arguments for which, of in clients.items() if of is not None}
    assert arguments == {odd: {}, sound: {"instance": "two"}}
