"""`cutover show`: everything that is known of one number."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import typer

from migration.cli.exit_codes import ExitCode
from migration.cli.number_document import number_document
from migration.cli.options import Json, NumberArgument, ShowNumbers
from migration.cli.output import print_fields, print_json, print_line, print_table
from migration.cli.running import run_verb
from migration.cli.session import open_cli_reader
from migration.operations.approval import recorded_rollback_option
from migration.operations.evidence_wording import message_document, message_text, webhook_document, webhook_text
from migration.operations.gap_wording import gap_lines
from migration.operations.parity_wording import Comparison, kept_parity, shown_text
from migration.operations.proof_wording import proof_text, reported_texts, why_not_proved, word_to_send
from migration.operations.service_wording import dark_since_text, finding_text, outage_text, side_text
from migration.operations.wave_wording import gate_text, wave_event_document, wave_event_text, wave_text
from migration.operations.wording import (
    at_the_phone_text,
    next_command_after_show,
    number_label,
    reason_text,
    whose_move,
)
from migration.steps.code_requests import MOST_A_DAY, calls_left
from migration.steps.rollback_options import RollbackOption
from migration.waves.next_command import acts_until, current_status
from state.ledger.counted_calls import BUDGET_CALLS, BUDGET_RESERVE
from state.queries.queries import Queries
from state.rows import CodeRequestRow, EventRow, FindingRow, Position, WaveEventRow

SHOWN_EVENTS = 200  # a move has some 40; a number that waited for months has thousands
HIDDEN = frozenset({"body"})  # the body of a message to the senders contains the full number


def show(
    number: NumberArgument,
    as_json: Json = False,
    show_numbers: ShowNumbers = False,
    whole: Annotated[
        bool, typer.Option("--all", help=f"Print and check its whole history, not only the last {SHOWN_EVENTS} events.")
    ] = False,
) -> None:
    """Show one number: where it is, how it got there, what was sent, what comes next."""
    run_verb(_show(number, as_json, show_numbers, None if whole else SHOWN_EVENTS))


@dataclass(frozen=True, slots=True)
class _Shown:
    """What is read of one number, in one go."""

    position: Position
    now: datetime
    events: Sequence[EventRow]
    broken: int | None  # the event that does not follow from the one before it
    rollback: RollbackOption
    wave_events: Sequence[WaveEventRow]
    spent: int  # calls of `register` in 72 h
    requests: Sequence[CodeRequestRow]
    results: Mapping[str, FindingRow]
    messages: Sequence[Mapping[str, Any]]
    webhooks: Sequence[Mapping[str, Any]]

    @property
    def earlier_events(self) -> int:
        """How many events stand before those that are shown."""
        return self.events[0].seq - 1 if self.events else 0


async def _show(number: str, as_json: bool, show_numbers: bool, last: int | None) -> int:
    """`last`: how many events are shown."""
    async with open_cli_reader() as reader:
        shown = await _read(reader.queries, number, last)
    if as_json:
        print_json(_document(shown, show_numbers), show_numbers=show_numbers)
    else:
        _print(shown, show_numbers=show_numbers)
    return ExitCode.DONE


async def _read(queries: Queries, number: str, last: int | None) -> _Shown:
    position = await queries.positions.find(number)
    spent, _ = await queries.gate.budget_spent(position.phone_number_id, "register")
    return _Shown(
        position=position,
        now=await queries.now(),
        events=await queries.records.events(position.migration_id, last),
        broken=await queries.records.broken_link(position.migration_id, last),
        rollback=await recorded_rollback_option(queries, position),
        wave_events=await queries.waves.events(position.wave) if position.wave else (),
        spent=spent,
        requests=await queries.people.code_requests(position.number_id),
        results=await queries.records.findings(position.migration_id),
        messages=await queries.proofs.messages(position.migration_id),
        webhooks=await queries.proofs.webhooks(position.number_id),
    )


def _document(shown: _Shown, show_numbers: bool) -> dict[str, object]:
    position, now = shown.position, shown.now
    return number_document(position, now, show_numbers) | {
        "because": position.because,
        "next_command": next_command_after_show(position, now),
        "register_calls_72h": shown.spent,
        "codes_asked": [
            {"step": row.step, "at": row.at, "method": row.method, "language": row.language, "ended": row.ended}
            for row in shown.requests
        ],
        "codes_left_24h": calls_left(shown.requests, now),
        "at_the_phone": at_the_phone_text(position, now),
        "word_to_send": word_to_send(position),
        "messages": [message_document(row) for row in shown.messages],
        "webhooks": [webhook_document(row) for row in shown.webhooks],
        "way_back": {"way": shown.rollback.state, "reason": shown.rollback.reason},
        "parity": kept_parity(shown.results),
        "gap": gap_lines(position, shown.results),
        "history_intact": shown.broken is None,
        "earlier_events": shown.earlier_events,
        "events": [
            {"seq": event.seq, "at": event.at, "kind": event.kind, "facts": _without_hidden(event.facts)}
            for event in shown.events
        ],
        "wave_events": [wave_event_document(event) for event in shown.wave_events],
    }


def _print(shown: _Shown, *, show_numbers: bool) -> None:
    position, now = shown.position, shown.now
    title = f"{position.ref} ({position.e164})" if show_numbers else number_label(position)
    fields = _fields(position, now, shown.spent)
    if shown.requests:
        asked = ", ".join(f"{row.method} {row.at:%m-%d %H:%M}" for row in shown.requests[:MOST_A_DAY])
        fields["codes"] = f"{asked} UTC; {calls_left(shown.requests, now)} of {MOST_A_DAY} in 24 h are left"
    fields |= {f"lost, {line['what']}": line["said"] for line in gap_lines(position, shown.results)}
    fields |= {f"message {place}": message_text(row) for place, row in enumerate(shown.messages, 1)}
    fields |= {"way back": shown.rollback, "next command": next_command_after_show(position, now)}
    print_fields(title, fields, show_numbers=show_numbers)
    crossed = position.crossed_at is not None
    _print_parity(kept_parity(shown.results), crossed, position.ref, show_numbers=show_numbers)
    _print_history(shown, show_numbers=show_numbers)


def _print_history(shown: _Shown, *, show_numbers: bool) -> None:
    """The events of the number, what Meta said of it last, and what was decided about its wave."""
    position = shown.position
    print_line("")
    if shown.earlier_events:
        print_line(f"{shown.earlier_events} earlier events are not shown: `cutover show {position.ref} --all`")
    happened = [(f"{event.at:%Y-%m-%d %H:%M:%S}", event.kind, _facts_text(event.facts)) for event in shown.events]
    print_table("what happened (UTC)", ("when", "what", "facts"), happened, show_numbers=show_numbers)
    if shown.webhooks:
        heard = [(f"{row['received_at']:%Y-%m-%d %H:%M:%S}", webhook_text(row)) for row in reversed(shown.webhooks)]
        print_line("")
        print_table("what Meta's webhooks said last (UTC)", ("when", "what"), heard, show_numbers=show_numbers)
    if shown.wave_events:
        decided = [(f"{event.at:%Y-%m-%d %H:%M:%S}", wave_event_text(event)) for event in shown.wave_events]
        print_line("")
        title = f"what was decided about its wave {position.wave} (UTC)"
        print_table(title, ("when", "what"), decided, show_numbers=show_numbers)
    if shown.broken is not None:
        not_intact = f"event {shown.broken} does not follow from the one before it"
        print_line(f"The history was changed outside cutover: {not_intact}.")


def _print_parity(compared: Mapping[str, Any] | None, crossed: bool, ref: str, *, show_numbers: bool) -> None:
    """What needs a person of the last comparison; how to make one where there was none."""
    print_line("")
    if compared is None:
        if crossed:
            print_line(f"It was not compared with what was true before: `cutover parity {ref}`")
        return
    rows = [
        (line["what"], line["verdict"], shown_text(line))
        for line in compared["lines"]
        if line["verdict"] != Comparison.SAME
    ]
    same = len(compared["lines"]) - len(rows)
    title = f"before and after the move, read {compared['read_at']:%Y-%m-%d %H:%M:%S} UTC; {same} lines are the same"
    print_table(title, ("what", "verdict", "before -> after"), rows, show_numbers=show_numbers)


def _fields(position: Position, now: datetime, spent: int) -> dict[str, object]:
    until, gap = acts_until(position, now), position.sender_gap_seconds
    return {
        "side": side_text(position, now),
        "status": current_status(position, now),
        "step": position.next_step,
        "why": reason_text(position, now),
        "until": f"{until:%Y-%m-%d %H:%M:%S} UTC" if until is not None else None,
        "whose move": whose_move(position, now),
        "outage": outage_text(position, now),
        "service": finding_text(position) or dark_since_text(position, now),
        "proof": proof_text(position),
        "not proved": why_not_proved(position),
        "Meta reports": "; ".join(reported_texts(position)) or None,
        "word to send": word_to_send(position),
        "sender gap": f"{gap:.1f} s" if gap is not None else None,
        "itinerary": f"{position.itinerary}: {position.because}",
        "wave": wave_text(position),
        "may cross": gate_text(position, now),
        "customer": position.customer,
        "at the phone": at_the_phone_text(position, now),
        "WABA": position.waba_id,
        "phone number id": position.phone_number_id,
        "instance": position.instance.name if position.instance else "none",
        "PIN": position.pin_provenance or "of unknown provenance",
        "register calls": f"{spent} of {BUDGET_CALLS} in 72 h; the last {BUDGET_RESERVE} are a person's",
    }


IDENTITY = ("ref", "e164", "phone_number_id")  # whose chain it is, for `cutover audit verify`


def _without_hidden(facts: Mapping[str, Any]) -> dict[str, Any]:
    """An event's facts without what would show a full phone number, or says only whose they are."""
    return {
        name: {key: item for key, item in value.items() if key not in HIDDEN} if isinstance(value, dict) else value
        for name, value in facts.items()
        if name not in IDENTITY
    }


def _facts_text(facts: Mapping[str, Any]) -> str:
    visible = _without_hidden(facts)
    return "; ".join(f"{name} {value}" for name, value in visible.items() if value not in (None, "", {}))
