"""Reads both sides of imported numbers, and begins the migration of each or stores why it has none."""

import base64
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from pydantic import SecretStr

from migration.clients.graph_models import CloudNumber
from migration.clients.onprem import OnPremApi
from migration.clients.onprem_reading import Reading
from migration.engine.barrier import concerns_every_number, log_unexpected, reason_of
from migration.engine.itineraries import ItineraryName, itinerary_named
from migration.errors import MigrationError, Rejected, Transient
from migration.fleet.choose_itinerary import ItineraryChoice, NoItinerary, NumberReadings, choose_itinerary
from migration.runtime.concurrency import gather_all
from migration.scrubbing.masking import masked
from migration.steps.both_sides import CORRECT, wrong_client
from migration.steps.register import EMBEDDED_SIGNUP_DAYS
from state.enums import Side
from state.ledger.ledger import Ledger
from state.ledger.migrations import NewMigration
from state.phone_spelling import is_same_number
from state.service import Service, Sighting, follow

MAX_CONCURRENT = 20
WRITTEN_AT_ONCE = 200  # migrations that begin in one transaction; a few milliseconds


@dataclass(frozen=True, slots=True)
class CensusNumber:
    """An imported number without a migration: its ids, what Graph showed of it, and its instance's client."""

    number_id: int
    ref: str
    e164: str
    forced: str | None  # the itinerary that the inventory names
    cloud: CloudNumber
    onprem: OnPremApi | None


@dataclass(frozen=True, slots=True)
class CensusTarget:
    """A number that is to be looked at. `load` reads its settings, its secrets and, where it must, Graph."""

    ref: str
    e164: str
    load: Callable[[], Awaitable[CensusNumber]]


@dataclass(frozen=True, slots=True)
class NotLooked:
    """It is imported without an itinerary: a side of it could not be looked at. `cutover preflight` looks again."""

    reason: str


@dataclass(frozen=True, slots=True)
class CensusResult:
    """`migration_id` is None if the number got a disposition instead of a migration, or could not be looked at."""

    ref: str
    e164: str
    choice: ItineraryChoice | NoItinerary | NotLooked
    migration_id: int | None
    onprem_reading: str


@dataclass(frozen=True, slots=True)
class _Chosen:
    """A number whose itinerary is chosen and whose migration is not begun yet."""

    number: CensusNumber
    choice: ItineraryChoice
    onprem: str
    new: NewMigration

    @property
    def target(self) -> CensusTarget:
        return CensusTarget(self.number.ref, self.number.e164, self._loaded)

    async def _loaded(self) -> CensusNumber:
        return self.number

    def result(self, migration_id: int) -> CensusResult:
        return CensusResult(self.number.ref, self.number.e164, self.choice, migration_id, self.onprem)


Outcome = TypeVar("Outcome", CensusResult, "CensusResult | _Chosen")


def _spelling(number: CensusNumber) -> str:
    """Where Graph writes the number in another way: so that whoever compares the two knows that both are right."""
    shown = number.cloud.display_phone_number
    digits = "".join(filter(str.isdigit, shown))
    if not digits or f"+{digits}" == number.e164 or not is_same_number(number.e164, shown):
        return ""
    return f"; Graph writes the number {masked(f'+{digits}')}, the inventory {masked(number.e164)}: it is the same one"


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
        self._code_while_on_premises = code_while_on_premises

    async def run(
        self, targets: Sequence[CensusTarget], by: str, tick: Callable[[], None] = lambda: None
    ) -> tuple[CensusResult, ...]:
        """Results in the order of `targets`. Safe to repeat for numbers that have no migration yet.

        `tick` is called after each number. What goes wrong with one number is its own result; raises only what every
        number would meet.
        """
        results: dict[int, CensusResult] = {}
        chosen: dict[int, _Chosen] = {}
        places = iter(range(len(targets)))

        async def write() -> None:
            batch = dict(chosen)
            chosen.clear()
            results.update(await self._begin(batch, by))
            for _ in batch:
                tick()

        async def look() -> None:
            for place in places:
                found = await self._run_target(targets[place], partial(self._run_one, by=by))
                if isinstance(found, _Chosen):
                    chosen[place] = found
                    if len(chosen) >= WRITTEN_AT_ONCE:
                        await write()
                else:
                    results[place] = found
                    tick()

        try:
            await gather_all(look() for _ in range(min(MAX_CONCURRENT, len(targets))))
        finally:  # what was looked at is kept, whatever every number would meet
            await write()
        return tuple(results[place] for place in range(len(targets)))

    async def _begin(self, batch: "Mapping[int, _Chosen]", by: str) -> dict[int, CensusResult]:
        """Begin the migrations of these numbers. One that cannot begin is told why by itself."""
        new = [each.new for each in batch.values()]
        begun = await self._ledger.migrations.start_all(new, by) if new else {}
        results: dict[int, CensusResult] = {}
        for place, each in batch.items():
            if each.new.number_id in begun:
                results[place] = each.result(begun[each.new.number_id])
            else:
                results[place] = await self._run_target(each.target, partial(self._begin_one, each, by))
        return results

    async def _begin_one(self, each: "_Chosen", by: str, _number: CensusNumber) -> CensusResult:
        new = each.new
        migration_id = await self._ledger.migrations.start(
            new.number_id,
            itinerary=new.itinerary,
            first=new.first,
            because=new.because,
            side=new.side,
            dark_since=new.dark_since,
            service=new.service,
            by=by,
            signup_ends_at=new.signup_ends_at,
        )
        return each.result(migration_id)

    async def _run_target(
        self, target: CensusTarget, work: "Callable[[CensusNumber], Awaitable[Outcome]]"
    ) -> "Outcome | CensusResult":
        try:
            return await work(await target.load())
        except Exception as exc:
            if concerns_every_number(exc):
                raise
            reason = reason_of(exc, "census")
            if not isinstance(exc, Transient | Rejected):
                log_unexpected(target.ref, reason, exc)
            return CensusResult(target.ref, target.e164, NotLooked(reason), None, "not read")

    async def _run_one(self, number: CensusNumber, by: str) -> "CensusResult | _Chosen":
        begun = self._now()
        readings = await self.read_sides(number)
        if readings.onprem is not None and readings.onprem.of_another:
            # Whatever would be stopped or backed up there is not this number's.
            reason = f"{wrong_client(readings.onprem)}; {CORRECT}"
            return CensusResult(number.ref, number.e164, NotLooked(reason), None, "of another number")
        choice = choose_itinerary(readings, self._now(), number.forced)
        onprem = readings.onprem.kind.value if readings.onprem is not None else "no instance"
        if isinstance(choice, NoItinerary):
            cloud = readings.cloud
            evidence = {"status": cloud.status, "platform_type": cloud.platform_type, "onprem": onprem}
            await self._ledger.migrations.dispose(number.number_id, choice.disposition, choice.reason, evidence, by)
            return CensusResult(number.ref, number.e164, choice, None, onprem)
        new = NewMigration(
            number.number_id,
            itinerary=choice.itinerary,
            first=itinerary_named(choice.itinerary).first,
            because=choice.reason + _spelling(number),
            side=choice.side,
            dark_since=self._now() if choice.dark_on_arrival else None,
            service=self._service(choice, begun),
            signup_ends_at=_signup_ends_at(choice, readings),
        )
        return _Chosen(number, choice, onprem, new)

    def _service(self, choice: ItineraryChoice, begun: datetime) -> Service:
        """A number that is on neither side was in use before, unless it is new: nobody has lost a new one."""
        if choice.side is Side.NEITHER and not choice.dark_on_arrival:
            return Service(seen_at=begun)
        return follow(Service(), [Sighting(choice.side, begun, self._now())])

    async def read_sides(self, number: CensusNumber) -> NumberReadings:
        """Changes nothing. If the instance serves, a trial backup is made and discarded."""
        reading = await number.onprem.reading() if number.onprem is not None else None
        backup_works = None
        if number.onprem is not None and reading is not None and reading.kind is Reading.SERVING:
            backup_works = await self._backup_works(number.onprem)
        return NumberReadings(number.cloud, reading, backup_works, self._code_while_on_premises)

    async def _backup_works(self, onprem: OnPremApi) -> bool:
        password = base64.urlsafe_b64encode(self._randomness(24)).decode()
        try:
            await onprem.backup(SecretStr(password))
        except MigrationError:
            return False
        return True


def _signup_ends_at(choice: ItineraryChoice, readings: NumberReadings) -> datetime | None:
    onboarded = readings.cloud.last_onboarded_time
    if choice.itinerary is not ItineraryName.ONBOARD or not isinstance(onboarded, datetime):
        return None
    return onboarded + timedelta(days=EMBEDDED_SIGNUP_DAYS)
