"""The history of each wave: who decided what, when and why. Rows are only added."""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from state.models import WaveEventTable
from state.types import SqlClock

# Who decided, where no person did.
OURSELVES = "cutover"
HALT_RULE = "the halt rule"


async def append(
    tx: AsyncConnection,
    clock: SqlClock,
    wave_pk: int,
    kind: str,
    by: str,
    because: str | None = None,
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Add one event, in the transaction that makes the change."""
    await tx.execute(
        insert(WaveEventTable).values(
            wave_pk=wave_pk,
            at=clock.now(),
            kind=kind,
            decided_by=by,
            because=because or None,
            facts=json.loads(json.dumps(facts or {}, default=str)),
        )
    )
