"""A ledger on SQLite and on PostgreSQL."""

from collections.abc import AsyncIterator

import pytest

from tests.harness.ledger_fixture import LedgerFixture, open_ledger_fixture


@pytest.fixture
async def fixture(database_url: str) -> AsyncIterator[LedgerFixture]:
    async with open_ledger_fixture(database_url) as opened:
        yield opened
