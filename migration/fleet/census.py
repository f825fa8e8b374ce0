"""Look at both sides of imported numbers and begin the migration of each, or write down why it has none."""

import asyncio
import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import SecretStr

from migration.clients.graph_models import CloudNumber
from migration.clients.onprem import OnPremApi, Reading
from migration.engine.itineraries import itinerary_named
from migration.errors import MigrationError
from migration.fleet.choose_itinerary import ItineraryChoice, NoItinerary, NumberReadings, choose_itinerary
from migration.runtime.concurrency import gather_all
from state.ledger import Ledger

AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class CensusNumber:
    """A number to look at: its row, its instance and what Graph said of it."""

    number_id: int
    ref: str
    forced: str | None
    cloud: CloudNumber
    onprem: OnPremApi | None


@dataclass(frozen=True, slots=True)
class CensusResult:
    """What became of one number; `migration_id` is None when it has a disposition instead."""

    ref: str
    choice: ItineraryChoice | NoItinerary
    migration_id: int | None
    onprem_reading: str


class Census:
    def __init__(
        self,
        ledger: Ledger,
        now: Callable[[], datetime],
        randomness: Callable[[int], bytes],
        code_while_on_premises: str | None,
    ) -> None:
        self._ledger = ledger
        self._now = now
        self._randomness = randomness
        self._code_fact = code_while_on_premises

    async def run(
        self, numbers: Sequence[CensusNumber], by: str, tick: Callable[[], None] = lambda: None
    ) -> tuple[CensusResult, ...]:
        """Each number once; safe to repeat for those that have no migration yet."""
        room = asyncio.Semaphore(AT_ONCE)

        async def one(known: CensusNumber) -> CensusResult:
            async with room:
                counted = await self._one(known, by)
            tick()
            return counted

        return await gather_all(one(known) for known in numbers)

    async def _one(self, known: CensusNumber, by: str) -> CensusResult:
        look = await self.read_sides(known)
        way = choose_itinerary(look, self._now(), known.forced)
        seen = look.onprem.kind.value if look.onprem is not None else "no instance"
        if isinstance(way, NoItinerary):
            evidence = {"status": look.cloud.status, "platform_type": look.cloud.platform_type, "onprem": seen}
            await self._ledger.operator_changes.dispose(known.number_id, way.disposition, way.reason, evidence, by)
            return CensusResult(known.ref, way, None, seen)
        migration_id = await self._ledger.operator_changes.start(
            known.number_id,
            itinerary=way.itinerary,
            first=itinerary_named(way.itinerary).first,
            because=way.reason,
            side=way.side,
            dark_since=self._now() if way.dark_on_arrival else None,
        )
        return CensusResult(known.ref, way, migration_id, seen)

    async def read_sides(self, known: CensusNumber) -> NumberReadings:
        """Read only: a trial backup is thrown away as soon as it is known to work."""
        reading = await known.onprem.reading() if known.onprem is not None else None
        works = None
        if known.onprem is not None and reading is not None and reading.kind is Reading.SERVING:
            works = await self._backup_works(known.onprem)
        return NumberReadings(known.cloud, reading, works, self._code_fact)

    async def _backup_works(self, onprem: OnPremApi) -> bool:
        password = base64.urlsafe_b64encode(self._randomness(24)).decode()
        try:
            await onprem.backup(SecretStr(password))
        except MigrationError:
            return False
        return True
