"""The step protocol: what a step declares, and the four calls that the engine makes. No framework in here."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, Protocol

from migration.steps.number import Number
from migration.steps.outcomes import Blocked, CannotTell, Draft, Evidence, Intent, NotDone, Probe, Reopen, Waiting
from state.enums import Party, Promise, Side

# A client that was told to stop or to start may answer as before for this long; the figure is ours.
AFTER_COMMAND = timedelta(seconds=10)
# How long Graph may go on showing what was true before a write. Undocumented; docs/unconfirmed.md.
READS_LAG = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepContract:
    """What a step declares once, beside its code; the engine and the tests hold it to this."""

    name: str
    promise: Promise
    longest_call: timedelta = timedelta(seconds=30)  # no effect can begin later than this after the intent
    settle_for: timedelta = timedelta(minutes=5)  # how long readings may contradict each other before a person looks
    fresh_for: timedelta | None = None  # how long its result stays good; None: for the rest of the itinerary
    budget: str | None = None  # Meta's counter that each call is booked on: "register" or "deregister"
    moves_to: Side | None = None  # where the number is once the call has taken effect
    reads_side: bool = False  # moves nothing, but its purpose is to resolve where the number is
    reads_lag: timedelta = timedelta()  # how long readings may show what was true before the call
    # As `reads_lag`, for a call that may be repeated: how long after its deadline it is repeated at the earliest, so
    # that one that was held up cannot take effect after the one that followed it.
    repeats_after: timedelta = timedelta()
    uses_code: bool = False  # the call sends the verification code that somebody typed in
    notifies_senders: bool = False  # the call is an announcement to the customer's traffic hook
    runs_command: bool = False  # the call is a command of ours, which may run for as long as its intent says
    # Of an optional step that could not be done: columns and values of `state/proof.py`, so that nobody takes its
    # number for proved.
    if_passed_over: tuple[tuple[str, str], ...] = ()
    unsent_needs_new_key: bool = False  # an announcement whose answer was lost is made again under another key

    @property
    def settles_after(self) -> timedelta:
        """How long after a call's deadline, or after a refusal of it, a reading shows what it did."""
        return max(self.reads_lag, self.repeats_after)


class Step(Protocol):
    contract: ClassVar[StepContract]

    async def check(self, number: Number) -> None | Waiting | Blocked | Reopen:
        """Read only. Why this step must not run now, or None."""

    async def prepare(self, number: Number) -> Draft:
        """What this step is about to do; what it invents is sealed with the intent and survives a crash."""

    async def probe(self, number: Number, intent: Intent | None) -> Probe:
        """Read only. Is the effect in place? `intent` is None before a first attempt."""

    async def apply(self, number: Number, intent: Intent) -> Evidence | CannotTell | Blocked:
        """Change the outside world, once. CannotTell: the call was answered, and `probe` has to prove its effect.

        A step that only reads may answer Blocked.
        """


class ReadStep:
    """What all steps that only read have in common: nothing to prepare, nothing to probe, a limit to their waiting."""

    contract: ClassVar[StepContract]

    def not_yet(
        self, number: Number, patience: timedelta, stop: Blocked, first_s: float, why: str, on: Party = Party.META
    ) -> CannotTell | Blocked:
        """Read again, the first time in `first_s` seconds; `stop` once it has been missing for `patience`."""
        since = number.note_of(self.contract.name).get("since") or number.now.isoformat()
        if number.now - datetime.fromisoformat(since) > patience:
            return stop
        return CannotTell(number.next_check(datetime.fromisoformat(since), first_s), why, {"since": since}, on)

    async def prepare(self, number: Number) -> Draft:
        return Draft()

    async def probe(self, number: Number, intent: Intent | None) -> Probe:
        return NotDone({})
