"""A partner's senders: the queue of each number sends to the side of its route, and obeys the traffic hook or not.

Nothing runs in the background. What was sent since the last call is computed from the clock. Before the side of a
number or its sender changes, `catch_up` has to be called.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

Route = Literal["on_premises", "cloud"]
Behaviour = Literal["obey", "ignore", "veto", "drain"]
BEHAVIOURS = ("obey", "ignore", "veto", "drain")
Queue = Literal["drops", "keeps", "repeats"]
QUEUES = ("drops", "keeps", "repeats")
# Messages without a status when sending stops; ours.
IN_FLIGHT = 2
EVENTS = ("pause_sends", "switch_route", "resume_sends")


@dataclass(slots=True)
class Sender:
    """The queue of one number; a message is written every `every_s` seconds.

    `gap_s`: the sum of the pauses that have ended. `held`: messages written during pauses. `waiting`: messages that
    wait now. Every written message is sent, lost or waiting. `doubled`: messages that were sent twice.
    """

    counted_to: datetime
    route: Route = "on_premises"
    running: bool = True
    every_s: float = 1.0
    behaviour: Behaviour = "obey"
    queue: Queue = "drops"
    drain_s: float = 3.0
    veto_until: datetime | None = None  # a veto ends then, and says so; None: it lasts as long as the behaviour
    ran: bool = True  # `running` before the present pause; restored when the pause expires
    stops_at: datetime | None = None  # end of the drain of a pause
    paused_at: datetime | None = None
    resumes_at: datetime | None = None  # when the pause expires
    gap_s: float | None = None
    sent: int = 0
    held: int = 0
    waiting: int = 0
    to_dead_side: int = 0
    lost: int = 0
    doubled: int = 0
    home: str | None = None  # the home of cutover whose message it obeyed last
    newest: tuple[str, int, int] | None = None  # (home, migration, epoch) of the newest message
    fraction: float = 0.0  # of the next message
    unconfirmed: int = 0  # messages sent last before a gap, whose statuses had not come yet

    def catch_up(self, to: datetime, side: str) -> None:
        """Counts what was sent up to `to`; the number was at `side` all that time."""
        while (at := self._next_change(to)) is not None:
            self._count(at, side)
            self._apply_changes(at)
        self._count(to, side)

    def _next_change(self, to: datetime) -> datetime | None:
        changes = [at for at in (self.stops_at, self.resumes_at) if at is not None and at <= to]
        return min(changes, default=None)

    def _apply_changes(self, at: datetime) -> None:
        if self.stops_at is not None and self.stops_at <= at:
            self.stops_at = None
            self._stop(at)
        if self.resumes_at is not None and self.resumes_at <= at:
            self._start(at)
            self.running = self.ran

    def _count(self, to: datetime, side: str) -> None:
        """Messages are written until `to`: they are sent, or wait while the sender is paused."""
        if to <= self.counted_to:
            return
        due = (to - self.counted_to).total_seconds() / self.every_s + self.fraction
        self.counted_to = to
        self.fraction = due % 1.0
        written = int(due)
        if not self.running:
            self.held += written
            self.waiting += written
        elif side == self.route:
            self._send(written)
        elif written:
            self._send_to_dead_side(written)

    def _send(self, written: int) -> None:
        """To the side that serves: the waiting messages too, and the unconfirmed ones again."""
        self.sent += self.waiting + written + self.unconfirmed
        self.doubled += self.unconfirmed
        self.waiting = self.unconfirmed = 0

    def _send_to_dead_side(self, written: int) -> None:
        """A queue that keeps messages tries all of them again each time."""
        self.to_dead_side += written
        if self.queue == "drops":
            self.lost += self.waiting + written
            self.to_dead_side += self.waiting
            self.waiting = 0
            return
        self.waiting += written
        self._note_unconfirmed()

    def _note_unconfirmed(self) -> None:
        if self.queue == "repeats":
            self.unconfirmed = min(self.sent, IN_FLIGHT)

    def _stop(self, at: datetime) -> None:
        was_running, self.running = self.running, False
        if self.paused_at is None:
            self.paused_at, self.ran = at, was_running
            self._note_unconfirmed()

    def _start(self, at: datetime) -> None:
        self.resumes_at = self.stops_at = None
        self.running = True
        if self.paused_at is not None:
            self.gap_s = (self.gap_s or 0.0) + (at - self.paused_at).total_seconds()
            self.paused_at = None

    # -- events of the hook; the caller has called `catch_up`

    def is_overtaken(self, home: str, migration: int, epoch: int) -> bool:
        """Whether a newer message of the same home has come before this one; notes it as the newest otherwise."""
        if self.newest is not None and self.newest[0] == home and (migration, epoch) <= self.newest[1:]:
            return True
        self.newest = (home, migration, epoch)
        return False

    def conflict(self, home: str | None, came_from: str) -> str | None:
        """Why a message of another home than the one obeyed last contradicts it; None where it does not."""
        if home is None or self.home in (None, home):
            return None
        if self.paused_at is not None or self.draining:
            return f"another home has paused these senders: {self.home}"
        return None if self.route == came_from else f"another home has moved these senders to {self.route}: {self.home}"

    def pause(self, at: datetime, deadline: datetime | None) -> bool:
        """Whether sending has stopped already; False while messages in flight are still sent.

        `deadline` None: the pause goes on until the sender is told to go on.
        """
        if self.behaviour == "ignore":
            return True
        self.resumes_at = deadline
        if self.behaviour == "drain" and self.running:
            self.stops_at = at + timedelta(seconds=self.drain_s)
            return False
        self._stop(at)
        return True

    def switch(self, to: str) -> None:
        if self.behaviour != "ignore":
            self.route = "cloud" if to.startswith("cloud") else "on_premises"

    def resume(self, at: datetime) -> None:
        if self.behaviour != "ignore":
            self._start(at)

    @property
    def draining(self) -> bool:
        return self.stops_at is not None

    def as_json(self) -> dict[str, Any]:
        return {
            "route": self.route,
            "home": self.home,
            "running": self.running,
            "behaviour": self.behaviour,
            "queue": self.queue,
            "drain_s": self.drain_s,
            "veto_until": self.veto_until.isoformat() if self.veto_until is not None else None,
            "sent": self.sent,
            "held": self.held,
            "waiting": self.waiting,
            "sends_to_dead_side": self.to_dead_side,
            "lost": self.lost,
            "doubled": self.doubled,
            "sender_gap_s": self.gap_s,
        }


@dataclass(frozen=True, slots=True)
class HookResponse:
    status: int
    body: Mapping[str, Any]


@dataclass(slots=True)
class Hook:
    """The traffic hook: its responses by idempotency key, and the numbers behind its `ask` URLs."""

    secret: str
    responses: dict[str, HookResponse] = field(default_factory=dict)
    tickets: dict[str, str] = field(default_factory=dict)  # ticket -> e164

    def is_signed(self, body: bytes, signature: str, timestamp: str, key: str) -> bool:
        """Whether the signature covers time, key and body: docs/hooks.md."""
        signed = f"{timestamp}.{key}.".encode("utf-8", "replace") + body
        expected = "sha256=" + hmac.new(self.secret.encode(), signed, hashlib.sha256).hexdigest()
        return bool(timestamp) and hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace"))

    def ticket(self, key: str, e164: str) -> str:
        ticket = hashlib.sha256(key.encode()).hexdigest()[:16]
        self.tickets[ticket] = e164
        return ticket
