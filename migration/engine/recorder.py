"""From what a step found to what the ledger writes: one number, one step, one lease."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from pydantic import SecretStr

from migration.engine.itineraries import Itinerary, ItineraryStep, itinerary_named
from migration.steps.protocol import Advanced, Blocked, Evidence, Held, Number, Outcome, Reopen, Switch, Waiting
from migration.steps.reading_cache import ReadingCache
from state.enums import AttemptEnd, Party, Side, Status
from state.ledger import Ledger, Move, SideRead
from state.rows import Lease, OpenAttempt, SealedSecret

SPOKEN = ("pause_sends", "switch_route", "resume_sends")  # words to the customer's traffic hook
HELD_AGAIN = timedelta(seconds=60)


class Keeper(Protocol):
    """Seals and opens. Holds the keys, knows no step."""

    async def seal_intent(
        self, migration_id: int, attempt: int, secret: Mapping[str, SecretStr]
    ) -> SealedSecret | None: ...

    async def open_intent(self, migration_id: int, attempt: int) -> Mapping[str, SecretStr]: ...

    async def seal(self, owner: str, name: str, value: SecretStr) -> SealedSecret: ...

    async def keep_twice(self, owner: str, name: str, value: SecretStr) -> None: ...


@dataclass(slots=True)
class StepRecorder:
    ledger: Ledger
    keeper: Keeper
    itinerary: Itinerary
    leg: ItineraryStep
    lease: Lease
    number: Number
    open: OpenAttempt | None = None  # not accounted for when this pass began, or opened in it

    # -- freshness

    def still_fresh(self) -> bool:
        """Whether this step's last result is still good, so that it costs nothing."""
        return self._fresh(self.leg)

    def stale_input(self) -> str | None:
        """The first step before this one whose result has become too old to cross on."""
        for leg in self.itinerary.before(self.leg.step.name):
            if leg.step.fresh_for is not None and not self._fresh(leg):
                return leg.step.name
        return None

    def _fresh(self, leg: ItineraryStep) -> bool:
        fresh_for, row = leg.step.fresh_for, self.number.results.get(leg.step.name)
        return fresh_for is not None and row is not None and self.number.now - row.at <= fresh_for

    def at_time(self, now: datetime) -> Number:
        """The number as it is to be seen from now on: nothing that was read before holds."""
        self.number = replace(self.number, now=now, reading_cache=ReadingCache())
        return self.number

    def on(self, side: Side) -> Number:
        """The number with the side that was just read."""
        self.number = replace(self.number, state=replace(self.number.state, side=side))
        return self.number

    # -- what is written

    async def advanced(
        self,
        evidence: Evidence,
        attempt: OpenAttempt | None,
        *,
        kind: str = "advanced",
        end: AttemptEnd = AttemptEnd.DONE,
    ) -> Advanced:
        """The effect is in place: cursor on, evidence and secrets kept, the attempt closed."""
        step = self.leg.step.name
        owner = f"number:{self.number.state.number_id}"
        for name, value in evidence.keep_twice.items():
            await self.keeper.keep_twice(owner, name, value)
        to = self.itinerary.after(step)
        told = evidence.announced is not None
        await self.ledger.moves.record(
            self.lease,
            Move(
                step=step,
                status=self.itinerary.ends_as if to is None else Status.READY,
                kind=kind,
                facts=evidence.facts,
                to=to,
                side=self._side(evidence),
                attempt=attempt.id if attempt else None,
                attempt_end=end if attempt else None,
                answer=evidence.facts if attempt else None,
                result=evidence.facts if kind != "still_good" else None,
                result_at=evidence.since,
                sealed=[(owner, await self.keeper.seal(owner, n, v)) for n, v in evidence.keep.items()],
                pin=evidence.pin,
                code=self._code("verified") if evidence.code_verified else None,
                message=evidence.message,
                outbox=(evidence.announced, "done", None) if evidence.announced else None,
                new_epoch=told,
                paused_at=self.number.now if evidence.paused and self.number.state.paused_at is None else None,
                sender_gap_seconds=self._gap() if evidence.resumed else None,
            ),
        )
        return Advanced(step, ended=to is None)

    async def passed_over(self, why: str, attempt: OpenAttempt | None, end: AttemptEnd = AttemptEnd.REFUSED) -> Outcome:
        """An optional step that cannot be done: the cursor goes on without it."""
        return await self.advanced(Evidence({"skipped": why}), attempt, kind="passed_over", end=end)

    async def outcome(
        self,
        verdict: Waiting | Blocked | Held | Reopen | Switch,
        attempt: OpenAttempt | None = None,
        *,
        end: AttemptEnd | None = None,
        side: Evidence | None = None,
        side_back: Side | None = None,
        answer: Mapping[str, Any] | None = None,
        note: Mapping[str, Any] | None = None,
        failed: bool = False,
        halts: tuple[int, str] | None = None,
        forget_pin: bool = False,
    ) -> Outcome:
        """The step did not advance: say why, until when and whose move it is."""
        step, at = self.leg.step.name, self.number.state
        refused_code = end is AttemptEnd.REFUSED and step in ("verify_code", "verify_code_onprem")
        move = Move(
            step=step,
            status=Status.READY,
            kind=self._kind(verdict, attempt),
            tries=at.tries + 1 if failed else 0,
            side=self._side(side) if side is not None else None,
            attempt=attempt.id if attempt else None,
            attempt_end=end if attempt else None,
            answer=answer,
            side_back=side_back if self.leg.changes_side else None,
            note=note,
            code=self._refused_code(attempt) if refused_code else None,
            halts_profile=halts,
            forget_pin=forget_pin,
            # What was refused is not asked again under the same key: a hook may answer that one as it did before.
            # Nor is a pause whose answer was lost: under its key a hook would keep the deadline that it heard first.
            new_epoch=(end is AttemptEnd.REFUSED and step in SPOKEN)
            or (end is AttemptEnd.NEVER_LEFT and step == "pause_sends"),
        )
        await self.ledger.moves.record(self.lease, self._told(move, verdict))
        return verdict

    def _told(self, move: Move, verdict: Waiting | Blocked | Held | Reopen | Switch) -> Move:
        match verdict:
            case Waiting(until, on, reason, seen):
                return replace(move, status=Status.WAITING, until=until, on=on, reason=reason, note=seen or move.note)
            case Blocked(reason, runbook):
                return replace(move, status=Status.BLOCKED, on=Party.OPERATOR, reason=reason, runbook=runbook)
            case Held(reason):
                again = self.number.now + HELD_AGAIN
                return replace(move, status=Status.HELD, until=again, on=Party.OPERATOR, reason=reason)
            case Reopen(step, because):
                return replace(
                    move,
                    to=step,
                    reason=because,
                    forget=(step,) if self._has_freshness(step) else (),
                    facts={"because": because},
                )
            case Switch(itinerary, because):
                return self._switched(move, itinerary, because)

    def _switched(self, move: Move, itinerary: str, because: str) -> Move:
        first = itinerary_named(itinerary).first
        return replace(move, to=first, itinerary=itinerary, facts={"because": because, "itinerary": itinerary})

    def _has_freshness(self, step: str) -> bool:
        return self.itinerary.leg(step).step.fresh_for is not None

    def _kind(self, verdict: Waiting | Blocked | Held | Reopen | Switch, attempt: OpenAttempt | None) -> str:
        """The event's kind; none where it would only repeat the last one."""
        if isinstance(verdict, Reopen):
            return "reopened"
        if isinstance(verdict, Switch):
            return "switched"
        if attempt is None and verdict.reason == self.number.state.reason:
            return ""
        return type(verdict).__name__.lower()

    async def mark(self, kind: str, facts: Mapping[str, Any]) -> None:
        """An event and nothing else; the lease stays."""
        await self.ledger.moves.record(
            self.lease,
            Move(step=self.leg.step.name, status=Status.RUNNING, kind=kind, facts=facts, keep_lease=True),
        )

    def _side(self, evidence: Evidence) -> SideRead | None:
        if evidence.side is None:
            return None
        at = self.number.state
        back = evidence.side in (Side.CLOUD, Side.ON_PREMISES)
        outage = None
        if back and at.dark_by_us and at.dark_since is not None:
            outage = max((self.number.now - at.dark_since).total_seconds(), 0.0)
        undone = back and evidence.side is not self.itinerary.goes_to
        return SideRead(evidence.side, outage_seconds=outage, undone=undone)

    def _code(self, state: str) -> tuple[int, str] | None:
        return (self.number.code.id, state) if self.number.code is not None else None

    def _refused_code(self, attempt: OpenAttempt | None) -> tuple[int, str] | None:
        """The code that was sent: another may have been typed in since."""
        sent = attempt.intent.get("code_id") if attempt is not None else None
        return (int(sent), "refused") if sent is not None else None

    def _gap(self) -> float | None:
        paused = self.number.state.paused_at
        return None if paused is None else (self.number.now - paused).total_seconds()
