"""The triggers that `cutover audit verify` looks for are those that the revisions make, on both databases."""

from state import schema
from state.append_only import PROTECTED, TRIGGERS
from state.database import open_database
from state.triggers import digests_of


async def test_the_triggers_of_a_new_database_are_the_expected_ones(empty_url: str) -> None:
    await schema.upgrade(empty_url)
    engine = open_database(empty_url)
    try:
        async with engine.connect() as connection:
            found = await connection.run_sync(digests_of)
    finally:
        await engine.dispose()
    made = {name: digest for name, (_, digest) in sorted(found.items())}
    assert made == TRIGGERS[engine.dialect.name]
    assert {table for table, _ in found.values()} == set(PROTECTED)
