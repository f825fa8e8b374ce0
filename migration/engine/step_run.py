"""One pass over one step of one number, under one lease: what the engine's parts hand to each other."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from migration.engine.itineraries import Itinerary, ItineraryStep
from migration.steps.number import Number
from migration.steps.protocol import READS_LAG, Step, StepContract
from migration.steps.reading_cache import ReadingCache
from migration.steps.service_log import Doubt
from state.enums import Side
from state.ledger.moves import Move
from state.rows import Lease, OpenAttempt
from state.service import Service, Sighting, follow, service_of_row

# From the moment an intent is measured to the moment its first byte may leave, or its command may begin.
SEND_WITHIN = timedelta(seconds=5)
# What a worker may take for reading before it commits an intent.
READING = timedelta(seconds=45)


@dataclass(slots=True)
class StepRun:
    itinerary: Itinerary
    entry: ItineraryStep
    lease: Lease
    number: Number
    attempt: OpenAttempt | None = None  # not closed yet when this pass began, or opened in it
    settle_only: bool = False  # find out what an earlier call did, and make none
    called: bool = False  # this pass has made its call, so its answer has to be recorded
    changed_meanwhile: bool = False  # something arrived for the number since it was loaded
    goes_on: bool = False  # its worker takes the next step at once
    # Steps that only read and were done just before this one. They are written with its intent or its outcome: nothing
    # has happened that a crash could lose.
    before: tuple[Move, ...] = ()
    leased_at: float = 0.0  # when its lease was taken, on the boot-time clock, in seconds
    began_at: float = 0.0  # when this pass began, on the same clock; its number has the time of that moment
    person_for: timedelta | None = None  # somebody has to be at the phone for so long when the intent is committed
    code_limit: int | None = None  # fewer codes than so many have to be on their way when the intent is committed
    write_by: float = 0.0  # until then (boot-time clock, seconds) nobody else may take the number

    @property
    def step(self) -> Step:
        return self.entry.step

    @property
    def contract(self) -> StepContract:
        return self.entry.step.contract

    def is_fresh(self) -> bool:
        """Whether this step's last result is still good, so that the step costs nothing."""
        return self._is_fresh(self.entry)

    def stale_input(self, ahead: timedelta = timedelta()) -> str | None:
        """The first earlier step whose result has become too old to cross on, or will be so within `ahead`.

        A number that is on neither side has crossed already: what its client still held, and the PIN as it was set, no
        longer change. Each step that is done again would lengthen its outage; only its pause has to last.
        """
        dark = self.number.state.side is Side.NEITHER
        for entry in self.itinerary.before(self.entry.name):
            contract = entry.step.contract
            keeps = dark and not contract.notifies_senders and entry.name in self.number.results
            if contract.fresh_for is not None and not keeps and not self._is_fresh(entry, ahead):
                return entry.name
        return None

    def _is_fresh(self, entry: ItineraryStep, ahead: timedelta = timedelta()) -> bool:
        fresh_for, row = entry.step.contract.fresh_for, self.number.results.get(entry.name)
        return fresh_for is not None and row is not None and self.number.now + ahead - row.at <= fresh_for

    def at_time(self, now: datetime) -> Number:
        """The number from now on. Discards cached readings: a call may have changed what they show."""
        self.number = replace(self.number, now=now, reading_cache=ReadingCache())
        return self.number

    def doubt(self) -> Doubt:
        """What Graph may show wrongly by now."""
        doubt = doubt_before(self.itinerary, self.entry, called=self.attempt is not None)
        state = self.number.state
        dark_since = state.dark_since if state.dark_by_us and state.served_on is Side.CLOUD else None
        if doubt is Doubt.NOTHING and dark_since is not None and self.number.now < dark_since + READS_LAG:
            return Doubt.PRESENCE  # by a call of an itinerary that it has been taken off since
        return doubt

    def service(self, decided: Side | None = None) -> Service:
        """What is known of the number's service by all readings of this pass. `decided`: the side that they prove."""
        state, known = self.number.state, service_of_row(self.number.state)
        used = state.instance is not None
        known = follow(known, self.number.service.sightings, in_use=used)
        shown = known.served_on if known.dark_from is None else Side.NEITHER
        if decided in (None, Side.UNKNOWN, shown):
            return known
        return follow(known, [Sighting(decided, self.number.now, self.number.time())], in_use=used)

    def on_side(self, side: Side) -> Number:
        """The number with the side that was just read."""
        self.number = replace(self.number, state=replace(self.number.state, side=side))
        return self.number


def doubt_before(itinerary: Itinerary, entry: ItineraryStep, *, called: bool = False) -> Doubt:
    """What Graph may show wrongly at this step: what was before the last call to it that moved the number.

    `called`: the step's own call was made already, or may have been.
    """
    moving = [one.step.contract for one in itinerary.before(entry.name) if one.changes_side]
    if called and entry.changes_side:
        moving.append(entry.step.contract)
    match [contract.moves_to for contract in moving if contract.budget is not None][-1:]:
        case [Side.CLOUD]:
            return Doubt.ABSENCE
        case [Side.NEITHER]:
            return Doubt.PRESENCE
        case _:
            return Doubt.NOTHING
