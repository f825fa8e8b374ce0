"""Translates one decision about a step into one write of the ledger."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any, Protocol, cast

from pydantic import SecretStr

from migration.engine.decisions import Advance, Closing, Decision
from migration.engine.itineraries import itinerary_named
from migration.engine.kept_numbers import KeptNumbers
from migration.engine.places import goes_on_without_gate
from migration.engine.refusals import TERMS_PAGE
from migration.engine.refuted_facts import shown_by_success
from migration.engine.step_run import READING, StepRun
from migration.engine.transition_log import log_transition
from migration.engine.write_lag import WriteLag
from migration.errors import BackupNotKept
from migration.scrubbing.texts import once_more
from migration.steps.outcomes import Advanced, Blocked, Evidence, Held, Outcome, Reopen, Switch, Waiting
from migration.steps.traffic import outbox_key
from state.enums import AttemptEnd, OutsideFailure, Party, Side, Status
from state.errors import LeaseLost, NotStored
from state.ledger.changes import (
    AnswerKept,
    AttemptClosed,
    Change,
    CodeUsed,
    Compared,
    EpochRaised,
    MessageSent,
    NoteTaken,
    OutboxAnswered,
    OutboxRefused,
    OutsideFailed,
    OutsideSettled,
    PinForgotten,
    PinKnown,
    ProfileHalted,
    ResultFound,
    ResultsForgotten,
    SecretSealed,
    SendersPaused,
    SendersResumed,
    ServiceSeen,
    SideRead,
    SideRestored,
)
from state.ledger.moves import Move, Moves
from state.rows import Lease, SealedSecret
from state.service import ended_outage, service_of_row

HELD_AGAIN = timedelta(seconds=60)


class SecretKeeper(Protocol):
    """Seals and opens the secrets of numbers and of intents. Holds the keys, knows no step."""

    def seal(self, owner: str, name: str, value: SecretStr) -> SealedSecret: ...

    async def shelve(self, owner: str, name: str, value: SecretStr, lease: tuple[int, int]) -> SealedSecret: ...

    async def drop_older_copies(self, owner: str, name: str) -> None: ...

    def seal_intent(self, migration_id: int, attempt: int, secret: Mapping[str, SecretStr]) -> SealedSecret | None: ...

    async def open_intent(self, migration_id: int, attempt: int) -> Mapping[str, SecretStr]: ...


class StepRecorder:
    def __init__(self, moves: Moves, secrets: SecretKeeper, kept: KeptNumbers, lag: WriteLag) -> None:
        self._moves = moves
        self._lag = lag
        self._secrets = secrets
        self._kept = kept

    async def record(self, run: StepRun, decision: Decision) -> Outcome:
        """Write the decision. Raises LeaseLost, and BackupNotKept before anything but a file was written."""
        outcome = decision.outcome
        if isinstance(outcome, Advance):
            return await self._advance(run, outcome, decision.closing)
        move = replace(_stay_or_turn(run, outcome, decision), before=run.before)
        with self._lag.timing():
            written = await self._moves.record(run.lease, move)
        self._kept.keep(run, move, *written)
        if move.kind:  # else it only repeats the last one
            log_transition(run, move.kind, once_more(_why(outcome)))
        return outcome

    async def note_event(self, run: StepRun, kind: str, facts: Mapping[str, Any], *changes: Change) -> None:
        """An event beside the step; the lease stays."""
        move = Move(run.contract.name, Status.RUNNING, kind, facts, changes=changes, keep_lease=True)
        await self._moves.record(run.lease, move)
        log_transition(run, kind, str(facts.get("why") or facts.get("refused") or ""))

    async def block(self, lease: Lease, step: str | None, blocked: Blocked) -> None:
        """Block a number whose step could not even be looked at; what was open stays open."""
        move = Move(
            cast(str, step),
            Status.BLOCKED,
            "blocked",
            on=Party.OPERATOR,
            reason=once_more(blocked.reason),
            runbook=blocked.runbook,
        )
        await self._moves.record(lease, move)

    async def _advance(self, run: StepRun, outcome: Advance, closing: Closing | None) -> Advanced:
        """The number goes to its next step, or ends; evidence and secrets are kept."""
        evidence, step = outcome.evidence, run.contract.name
        owner = f"number:{run.number.state.number_id}"
        # The file has a name of its own for this lease, so a worker that has lost it overwrites nothing: only the
        # fenced write below makes the file count.
        lease = (run.lease.migration_id, run.lease.fence)
        kept = [await self._secrets.shelve(owner, *item, lease) for item in evidence.backups.items()]
        sealed = [*kept, *(self._secrets.seal(owner, *item) for item in evidence.secrets.items())]
        to = run.itinerary.after(step)
        changes: list[Change] = [
            *_closing(run, closing),
            *_side_and_service(run, evidence.side),
            *([OutsideSettled()] if run.entry.changes_side else []),
            *([_result(run, evidence)] if outcome.event != "still_good" else []),
            *(SecretSealed(owner, secret) for secret in sealed),
            *_evidence(run, evidence),
            *_passed_over(run, outcome),
            *(shown_by_success(run) if closing is not None else ()),
        ]
        status = run.itinerary.ends_as if to is None else Status.READY
        move = Move(step, status, outcome.event, evidence.facts, to=to, changes=tuple(changes))
        try:
            await self._write_advance(run, move)
        except NotStored as exc:
            raise BackupNotKept(str(exc)) from exc
        except LeaseLost:
            await self._drop_older_copies(owner, evidence.backups)  # ours, where the new holder's is in force
            raise
        await self._drop_older_copies(owner, evidence.backups)
        log_transition(run, outcome.event, f"on to {to}" if to is not None else f"ended as {status}")
        return Advanced(step, ended=to is None)

    async def _write_advance(self, run: StepRun, move: Move) -> None:
        goes_on = run.goes_on and goes_on_without_gate(run.number.state, run.itinerary, move.step)
        if goes_on and self._kept.keep_unwritten(run, move):
            return
        move = replace(move, before=run.before)
        if goes_on:
            with self._lag.timing():
                lease, columns = await self._moves.record_and_keep(run.lease, move, READING)
            self._kept.keep_leased(run, move, lease, columns)
            return
        with self._lag.timing():
            written = await self._moves.record(run.lease, move)
        self._kept.keep(run, move, *written)

    async def _drop_older_copies(self, owner: str, names: Iterable[str]) -> None:
        for name in names:
            with suppress(Exception):  # the outcome stands; what stays is removed after the next backup
                await self._secrets.drop_older_copies(owner, name)


def _result(run: StepRun, evidence: Evidence) -> ResultFound:
    has_note = run.changed_meanwhile or run.contract.name in run.number.notes
    return ResultFound(evidence.facts, evidence.fresh_from, forgets_note=has_note)


def _evidence(run: StepRun, evidence: Evidence) -> Iterator[Change]:
    """What the effect of a step changes beside its result."""
    state = run.number.state
    if evidence.pin is not None:
        yield PinKnown(evidence.pin)
    if evidence.code_verified and run.number.code is not None:
        yield CodeUsed(run.number.code.id, "verified")
    if evidence.message is not None:
        yield MessageSent(evidence.message)
    if evidence.compared:
        yield Compared(evidence.compared)
    if evidence.answered is not None:
        yield AnswerKept(*evidence.answered)
    if evidence.outbox_key is not None:
        yield OutboxAnswered(evidence.outbox_key)
        yield EpochRaised()
    if evidence.paused and state.paused_at is None:
        yield SendersPaused(run.number.now)
    if evidence.resumed and state.paused_at is not None:
        yield SendersResumed((run.number.now - state.paused_at).total_seconds())


def _passed_over(run: StepRun, outcome: Advance) -> Iterator[Change]:
    if outcome.event == "passed_over" and run.contract.if_passed_over:
        yield Compared(dict(run.contract.if_passed_over))


def _why(outcome: Waiting | Blocked | Held | Reopen | Switch) -> str:
    return outcome.because if isinstance(outcome, Reopen | Switch) else outcome.reason


def _stay_or_turn(run: StepRun, outcome: Waiting | Blocked | Held | Reopen | Switch, decision: Decision) -> Move:
    """The step did not advance: why, until when, and whose move it is."""
    step = run.contract.name
    reason: str = once_more(_why(outcome))
    tries = run.number.state.tries + 1 if decision.failed else 0
    changes = (
        *_closing(run, decision.closing),
        *_side_and_service(run, decision.side),
        *_consequences(run, outcome, decision.note),
        *decision.changes,
    )
    kind = _event_kind(run, outcome, changes)
    match outcome:
        case Waiting(until, on, _, _, for_calls):
            return Move(
                step,
                Status.WAITING,
                kind,
                until=until,
                on=on,
                reason=reason,
                tries=tries,
                changes=changes,
                for_calls=for_calls,
            )
        case Blocked(runbook=runbook):
            return Move(
                step,
                Status.BLOCKED,
                kind,
                on=Party.OPERATOR,
                reason=reason,
                runbook=runbook,
                tries=tries,
                changes=changes,
            )
        case Held():
            again = run.number.now + HELD_AGAIN
            return Move(step, Status.HELD, kind, until=again, on=Party.OPERATOR, reason=reason, changes=changes)
        case Reopen(earlier):
            facts = {"because": reason}
            return Move(step, Status.READY, kind, facts, to=earlier, reason=reason, tries=tries, changes=changes)
        case Switch(itinerary):
            facts = {"because": reason, "itinerary": itinerary}
            first = itinerary_named(itinerary).first
            return Move(step, Status.READY, kind, facts, to=first, itinerary=itinerary, changes=changes)


def _consequences(
    run: StepRun, outcome: Waiting | Blocked | Held | Reopen | Switch, note: Mapping[str, Any] | None
) -> Iterator[Change]:
    """What an outcome changes beside the cursor."""
    if isinstance(outcome, Reopen) and run.itinerary.at(outcome.step).step.contract.fresh_for is not None:
        yield ResultsForgotten((outcome.step,))
    if isinstance(outcome, Waiting) and outcome.note:
        note = outcome.note
    if note is not None:
        yield NoteTaken(note)
    if isinstance(outcome, Blocked) and outcome.pin_refused:
        yield PinForgotten()
    if isinstance(outcome, Blocked) and outcome.runbook == TERMS_PAGE:
        yield OutsideFailed(OutsideFailure.TERMS)
    if isinstance(outcome, Blocked) and outcome.account_refused:
        yield OutsideFailed(OutsideFailure.ACCOUNT)
    if isinstance(outcome, Held) and outcome.halts_profile_because is not None:
        yield ProfileHalted(run.number.state.profile_id, outcome.halts_profile_because)


def _closing(run: StepRun, closing: Closing | None) -> Iterator[Change]:
    """How the attempt is closed, and what that means for the side, the code and the announcement's key."""
    if closing is None:
        return
    attempt, contract = closing.attempt, run.contract
    sealed = attempt.number if attempt.has_secret else None
    yield AttemptClosed(attempt.id, closing.end, closing.answer, sealed)
    if closing.side_before is not None and run.entry.changes_side:
        yield SideRestored(closing.side_before)
    sent = attempt.intent.get("code_id")
    if closing.end is AttemptEnd.REFUSED and contract.uses_code and sent is not None:
        # The code that was sent: another may have been typed in since. An answer without an error code (throttled,
        # HTTP 500) says nothing about it: the same code may be typed in again.
        about_it = (closing.answer or {}).get("code") is not None
        yield CodeUsed(int(sent), "refused" if about_it else "replaced")
    # After a refusal the hook may answer the same key as it did before; so the next announcement has a key of its own.
    refused = closing.end is AttemptEnd.REFUSED and contract.notifies_senders
    if refused and (closing.answer or {}).get("code") is not None:
        yield OutboxRefused(outbox_key(attempt.intent["body"]))  # without a code (HTTP 500) it may have been taken
    # A hook may have taken a message whose attempt is closed as not done: what it is told next has to be newer.
    given_up = closing.end is AttemptEnd.NOT_DONE and contract.notifies_senders
    if refused or given_up or (closing.end is AttemptEnd.NEVER_LEFT and contract.unsent_needs_new_key):
        yield EpochRaised()


def _side_and_service(run: StepRun, side: Side | None) -> Iterator[Change]:
    """The side that was read, and what all readings of this pass show of the number's service."""
    read = _side(run, side)
    before, after = service_of_row(run.number.state), run.service(read.side if read is not None else None)
    if read is not None:
        yield read
    if after != before:
        yield ServiceSeen(after, ended_outage(before, after))


def _side(run: StepRun, side: Side | None) -> SideRead | None:
    """A step that cannot move the number takes no side away: its readings may be stale."""
    serves = side in (Side.CLOUD, Side.ON_PREMISES)
    resolves = run.contract.reads_side and (serves or run.number.state.side is Side.UNKNOWN)
    if side is None or not (run.entry.changes_side or resolves):
        return None
    return SideRead(side, undone=serves and side is not run.itinerary.goes_to)


def _event_kind(run: StepRun, outcome: Waiting | Blocked | Held | Reopen | Switch, changes: Sequence[Change]) -> str:
    """The event's kind; empty where it would only repeat the last one."""
    match outcome:
        case Reopen():
            return "reopened"
        case Switch():
            return "switched"
        case _ if once_more(outcome.reason) == run.number.state.reason and not any(
            _is_told(run, one) for one in changes
        ):
            return ""
        case _:
            return type(outcome).__name__.lower()


def _is_told(run: StepRun, change: Change) -> bool:
    """The record has to say it, whatever the event before it said."""
    moved = isinstance(change, SideRead | SideRestored) and change.side is not run.number.state.side
    return moved or isinstance(change, AttemptClosed)
