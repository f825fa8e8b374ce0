"""The same town on SQLite and on PostgreSQL."""

from collections.abc import AsyncIterator

import pytest

from tests.harness.ledger_fixture import Town, built


@pytest.fixture
async def town(database_url: str) -> AsyncIterator[Town]:
    async with built(database_url) as one:
        yield one
