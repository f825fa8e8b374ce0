"""What a step is, what it is given and what it may answer. No framework in here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar, Protocol

from pydantic import SecretStr

from migration.clients.commands import NamedCommands
from migration.clients.graph import GraphApi
from migration.clients.onprem import OnPremApi
from migration.clients.traffic_hooks import TrafficHooks
from migration.steps.reading_cache import ReadingCache
from state.enums import Party, PinProvenance, Promise, Side
from state.rows import CodeRow, FindingRow, Position

LONGEST_PAUSE_S = 20.0  # between two looks; a mover sleeps it out with the number in hand

# -- outcomes


@dataclass(frozen=True, slots=True)
class Advanced:
    """The effect is in place."""

    step: str
    ended: bool = False  # that was the last step of the itinerary


@dataclass(frozen=True, slots=True)
class Waiting:
    """Nothing is wrong; look again at `until`. Costs no attempt."""

    until: datetime
    on: Party
    reason: str
    note: Mapping[str, Any] | None = None  # what the step wants to remember for its next look


@dataclass(frozen=True, slots=True)
class Blocked:
    """A person must act; `runbook` is a page under runbooks/. `side` only from a reading of both sides."""

    reason: str
    runbook: str
    side: Side | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """At the gate: hold, window, halt or a halted profile. Let go by whoever opens the gate."""

    reason: str


@dataclass(frozen=True, slots=True)
class Reopen:
    """An earlier step has to be done again."""

    step: str
    because: str


@dataclass(frozen=True, slots=True)
class Switch:
    """The road has turned out to be closed; the number takes another itinerary, from its first step."""

    itinerary: str
    because: str


Outcome = Advanced | Waiting | Blocked | Held | Reopen | Switch

# -- what a step hands back


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the world showed. `side` only from a reading of both sides."""

    facts: Mapping[str, Any] = field(default_factory=dict)
    side: Side | None = None
    keep: Mapping[str, SecretStr] = field(default_factory=dict)  # sealed as the number's own secrets
    keep_twice: Mapping[str, SecretStr] = field(default_factory=dict)  # a backup: two places, read back, compared
    pin: PinProvenance | None = None
    code_verified: bool = False
    message: Mapping[str, Any] | None = None
    announced: str | None = None  # key of the outbox row that was answered
    paused: bool = False
    resumed: bool = False
    since: datetime | None = None  # from when it counts as fresh, where that is not when it was found


@dataclass(frozen=True, slots=True)
class Done:
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class NotDone:
    """The effect is not in place; `witnesses` say how we know, `side` where the number is then, if they tell."""

    witnesses: Mapping[str, Any]
    side: Side | None = None


@dataclass(frozen=True, slots=True)
class CannotTell:
    recheck_at: datetime
    reason: str
    note: Mapping[str, Any] | None = None
    on: Party = Party.META


Probe = Done | NotDone | CannotTell


@dataclass(frozen=True, slots=True)
class Draft:
    """What a step means to do: plain facts for the record, secrets to be sealed with it."""

    facts: Mapping[str, Any] = field(default_factory=dict)
    secret: Mapping[str, SecretStr] = field(default_factory=dict)
    announcement: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Intent:
    """A committed draft. `send_by` is on the boot-time clock; the transport refuses to send after it."""

    key: str
    facts: Mapping[str, Any]
    secret: Mapping[str, SecretStr]
    opened_at: datetime
    answer_due: datetime
    send_by: float


# -- what a step is given


class SecretReader(Protocol):
    """Opens the sealed secrets of one number."""

    async def open(self, name: str) -> SecretStr | None: ...

    async def open_code(self) -> SecretStr | None: ...


@dataclass(frozen=True, slots=True)
class Smoke:
    """Whom the smoke message goes to and which approved template it uses."""

    to: str | None
    template: str
    language: str


@dataclass(frozen=True, slots=True)
class Number:
    """One number as a step sees it: facts, clients that are bound to it, and the time."""

    state: Position
    now: datetime
    cloud: GraphApi
    onprem: OnPremApi | None
    hooks: TrafficHooks | None
    commands: NamedCommands
    secrets: SecretReader
    results: Mapping[str, FindingRow]
    notes: Mapping[str, FindingRow]
    code: CodeRow | None
    smoke: Smoke
    facts: Mapping[str, str]  # field facts
    randomness: Callable[[int], bytes]
    reading_cache: ReadingCache = field(default_factory=ReadingCache)

    def after(self, **how_long: float) -> datetime:
        return self.now + timedelta(**how_long)

    def next_check(self, since: datetime, at_first: float) -> datetime:
        """When to look again for what has been missing since then: after a tenth of that time, and never long.

        A WABA without traffic has 200 calls an hour; asked every second, it would be silent when the number comes up.
        https://developers.facebook.com/docs/graph-api/overview/rate-limiting
        """
        return self.after(seconds=min(max(at_first, (self.now - since).total_seconds() / 10), LONGEST_PAUSE_S))

    def result_of(self, step: str) -> Mapping[str, Any]:
        """The facts of a step's latest result, or nothing."""
        row = self.results.get(step)
        return row.facts if row else {}

    def note_of(self, step: str) -> Mapping[str, Any]:
        row = self.notes.get(step)
        return row.facts if row else {}


class Step(Protocol):
    name: ClassVar[str]
    promise: ClassVar[Promise]
    longest_call: ClassVar[timedelta]
    settle_for: ClassVar[timedelta]
    fresh_for: ClassVar[timedelta | None]
    budget: ClassVar[str | None]

    async def check(self, number: Number) -> None | Waiting | Blocked | Reopen:
        """Read only. Why this step must not run now, if it must not."""

    async def prepare(self, number: Number) -> Draft:
        """What this step is about to do; what it invents is sealed with the intent and outlives a crash."""

    async def probe(self, number: Number, intent: Intent | None) -> Probe:
        """Read only. Is the effect in place? `intent` is None before a first attempt."""

    async def apply(self, number: Number, intent: Intent) -> Evidence | CannotTell | Blocked:
        """Change the outside world, once. CannotTell: the call was answered, the effect is for `probe` to prove.

        A step that only reads may answer Blocked.
        """


class ReadStep:
    """Parts that every step that only reads has in common: nothing to prepare, nothing to probe, patience."""

    name: ClassVar[str]

    def not_yet(
        self, number: Number, patience: timedelta, stop: Blocked, again_s: float, why: str, on: Party = Party.META
    ) -> CannotTell | Blocked:
        """Look again, at first in `again_s` seconds; `stop` once it has been missing for `patience`."""
        since = number.note_of(self.name).get("since") or number.now.isoformat()
        if number.now - datetime.fromisoformat(since) > patience:
            return stop
        return CannotTell(number.next_check(datetime.fromisoformat(since), again_s), why, {"since": since}, on)

    async def prepare(self, number: Number) -> Draft:
        return Draft()

    async def probe(self, number: Number, intent: Intent | None) -> Probe:
        return NotDone({})
