"""A partner's senders: each number's queue sends where its route says, and obeys the hook or not.

Nothing runs in the background. What was sent since the last look is worked out from the clock; whoever
changes a number's side, or a sender, first lets it catch up.
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
# Messages whose statuses have not come yet when sending stops; ours.
IN_FLIGHT = 2
EVENTS = ("pause_sends", "switch_route", "resume_sends")


@dataclass(slots=True)
class Sender:
    """One number's queue; a message is written every `every_s`. Times are the world's.

    `gap_s` is the sum of the ended pauses. `held` counts what waited in a pause; `waiting` is what waits now. Of what
    was written everything is sent, lost or waiting; `doubled` are those that were sent once more.
    """

    counted_to: datetime
    route: Route = "on_premises"
    running: bool = True
    every_s: float = 1.0
    behaviour: Behaviour = "obey"
    queue: Queue = "drops"
    drain_s: float = 3.0
    ran: bool = True  # before the pause that is on; one that ends by itself gives back what was
    stops_at: datetime | None = None  # a pause that is still draining
    paused_at: datetime | None = None
    resumes_at: datetime | None = None  # a pause is a lease: it ends by itself
    gap_s: float | None = None
    sent: int = 0
    held: int = 0
    waiting: int = 0
    to_dead_side: int = 0
    lost: int = 0
    doubled: int = 0
    part: float = 0.0
    unsure: int = 0  # of those sent last before a gap: their statuses had not come yet

    def catch_up(self, to: datetime, side: str) -> None:
        """Count what was sent up to `to`; the number was at `side` all that time."""
        while (turn := self._next_turn(to)) is not None:
            self._count(turn, side)
            self._take(turn)
        self._count(to, side)

    def _next_turn(self, to: datetime) -> datetime | None:
        turns = [at for at in (self.stops_at, self.resumes_at) if at is not None and at <= to]
        return min(turns, default=None)

    def _take(self, at: datetime) -> None:
        if self.stops_at is not None and self.stops_at <= at:
            self.stops_at = None
            self._stop(at)
        if self.resumes_at is not None and self.resumes_at <= at:
            self._start(at)
            self.running = self.ran

    def _count(self, to: datetime, side: str) -> None:
        """What is written is sent, with all that waits; while paused it waits."""
        if to <= self.counted_to:
            return
        due = (to - self.counted_to).total_seconds() / self.every_s + self.part
        self.counted_to = to
        self.part = due % 1.0
        written = int(due)
        if not self.running:
            self.held += written
            self.waiting += written
        elif side == self.route:
            self._send(written)
        elif written:
            self._miss(written)

    def _send(self, written: int) -> None:
        """To the side that serves: first what waited, and again what nobody is sure of."""
        self.sent += self.waiting + written + self.unsure
        self.doubled += self.unsure
        self.waiting = self.unsure = 0

    def _miss(self, written: int) -> None:
        """To a dead side. Who keeps what was not taken tries it all again each time."""
        self.to_dead_side += written
        if self.queue == "drops":
            self.lost += self.waiting + written
            self.to_dead_side += self.waiting
            self.waiting = 0
            return
        self.waiting += written
        self._is_unsure()

    def _is_unsure(self) -> None:
        if self.queue == "repeats":
            self.unsure = min(self.sent, IN_FLIGHT)

    def _stop(self, at: datetime) -> None:
        was, self.running = self.running, False
        if self.paused_at is None:
            self.paused_at, self.ran = at, was
            self._is_unsure()

    def _start(self, at: datetime) -> None:
        self.resumes_at = self.stops_at = None
        self.running = True
        if self.paused_at is not None:
            self.gap_s = (self.gap_s or 0.0) + (at - self.paused_at).total_seconds()
            self.paused_at = None

    # -- what the hook asks for; the caller has caught up

    def pause(self, at: datetime, deadline: datetime | None) -> bool:
        """Whether sends have stopped already; False while what is in flight still goes out."""
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
            "running": self.running,
            "behaviour": self.behaviour,
            "queue": self.queue,
            "drain_s": self.drain_s,
            "sent": self.sent,
            "held": self.held,
            "waiting": self.waiting,
            "sends_to_dead_side": self.to_dead_side,
            "lost": self.lost,
            "doubled": self.doubled,
            "sender_gap_s": self.gap_s,
        }


@dataclass(frozen=True, slots=True)
class HookAnswer:
    status: int
    body: Mapping[str, Any]


@dataclass(slots=True)
class Hook:
    """Answers given, by idempotency key, and what an `ask` URL stands for."""

    secret: str
    answers: dict[str, HookAnswer] = field(default_factory=dict)
    asks: dict[str, str] = field(default_factory=dict)  # ticket -> e164

    def signed(self, body: bytes, signature: str) -> bool:
        wanted = "sha256=" + hmac.new(self.secret.encode(), body, hashlib.sha256).hexdigest()
        return hmac.compare_digest(wanted, signature)

    def ticket(self, key: str, e164: str) -> str:
        ticket = hashlib.sha256(key.encode()).hexdigest()[:16]
        self.asks[ticket] = e164
        return ticket
