"""One number as a step sees it: its row, its earlier results, clients that are bound to it, and the time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from pydantic import SecretStr

from migration.clients.command_hooks import SenderHooks
from migration.clients.commands import NamedCommands
from migration.clients.graph import GraphApi
from migration.clients.onprem import OnPremApi
from migration.clients.shared_readings import WabaReadings
from migration.steps.reading_cache import ReadingCache
from migration.steps.service_log import ServiceLog
from state.rows import CodeRow, FindingRow, Position

LONGEST_PAUSE_S = 20.0  # between two readings; a worker keeps the number in hand and sleeps this long


class SecretReader(Protocol):
    """Opens the sealed secrets of one number."""

    async def open(self, name: str) -> SecretStr | None: ...

    async def open_code(self) -> SecretStr | None: ...


@dataclass(frozen=True, slots=True)
class SmokeMessage:
    """Whom the smoke message goes to, and which approved template it uses, or which text in its place."""

    to: str | None
    template: str
    language: str
    text: str | None = None


@dataclass(frozen=True, slots=True)
class DrainRule:
    """How long a client may take to deliver its queued callbacks, and what follows then."""

    limit: timedelta = timedelta(minutes=10)
    goes_on: bool = False  # without a person: what is still queued is lost with the client, and recorded


@dataclass(frozen=True, slots=True)
class Number:
    """Facts and clients of one number. `results` and `notes` are by step name; `facts` are field facts by name."""

    state: Position
    now: datetime
    cloud: GraphApi
    shared: WabaReadings  # what was read of Graph for all numbers of its WABA
    onprem: OnPremApi | None
    hooks: SenderHooks | None
    commands: NamedCommands
    secrets: SecretReader
    results: Mapping[str, FindingRow]
    notes: Mapping[str, FindingRow]
    code: CodeRow | None  # the code that was typed in and not used yet
    smoke: SmokeMessage
    facts: Mapping[str, str]
    randomness: Callable[[int], bytes]
    code_refused_at: datetime | None = None  # when the last code was typed in, if Meta or the client refused it
    drain: DrainRule = DrainRule()
    has_router: bool = False  # a router of the admin file reads the routes feed for its customer
    reading_cache: ReadingCache = field(default_factory=ReadingCache)
    service: ServiceLog = field(default_factory=ServiceLog)

    def time(self) -> datetime:
        """The time of this moment; `now` is that of the beginning of the pass."""
        return self.service.time(self.now)

    async def secret(self, name: str) -> SecretStr | None:
        """One of its own secrets, read at most once a pass."""
        opened = self.reading_cache.secrets
        if name not in opened:
            opened[name] = await self.secrets.open(name)
        return opened[name]

    def after(self, **duration: float) -> datetime:
        """The time that is `duration` (as of timedelta) from now."""
        return self.now + timedelta(**duration)

    def next_check(self, since: datetime, first_s: float) -> datetime:
        """When to read again what has been missing since then: after a tenth of that time, at most LONGEST_PAUSE_S.

        A WABA without traffic has 200 calls an hour; read every second, its budget would be gone when the number
        comes up. https://developers.facebook.com/docs/graph-api/overview/rate-limiting
        """
        return self.after(seconds=min(max(first_s, (self.now - since).total_seconds() / 10), LONGEST_PAUSE_S))

    def result_of(self, step: str) -> Mapping[str, Any]:
        """The facts of a step's latest result; empty if it has none."""
        row = self.results.get(step)
        return row.facts if row else {}

    def note_of(self, step: str) -> Mapping[str, Any]:
        """What a step remembered at its last wait; empty if nothing."""
        row = self.notes.get(step)
        return row.facts if row else {}
