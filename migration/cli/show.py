"""`cutover show`: everything that is known of one number."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from migration.cli.exit_codes import ExitCode
from migration.cli.options import Json, NumberArgument, ShowNumbers
from migration.cli.output import print_fields, print_json, print_line, print_table
from migration.cli.running import run_verb
from migration.cli.session import open_cli_reader
from migration.cli.status import number_document
from migration.operations.approval import recorded_rollback_option
from migration.operations.service_wording import dark_since_text, finding_text, outage_text, side_text
from migration.operations.wave_wording import gate_text, wave_event_document, wave_event_text
from migration.operations.wording import (
    current_status,
    next_command_after_show,
    number_label,
    reason_text,
    whose_move,
)
from state.ledger.attempts import BUDGET_CALLS, BUDGET_RESERVE
from state.rows import Position

HIDDEN = frozenset({"body"})  # the body of a message to the senders contains the full number


def show(
    number: NumberArgument,
    as_json: Json = False,
    show_numbers: ShowNumbers = False,
) -> None:
    """Show one number: where it is, how it got there, what was sent, what comes next."""
    run_verb(_show(number, as_json, show_numbers))


async def _show(number: str, as_json: bool, show_numbers: bool) -> int:
    async with open_cli_reader() as reader:
        position = await reader.queries.positions.find(number)
        now = await reader.queries.now()
        events = await reader.queries.records.events(position.migration_id)
        broken = await reader.queries.records.broken_link(position.migration_id)
        rollback = await recorded_rollback_option(reader.queries, position)
        wave_events = await reader.queries.waves.events(position.wave) if position.wave else ()
        spent, _ = await reader.queries.gate.budget_spent(position.phone_number_id, "register")
    if as_json:
        document = number_document(position, now, show_numbers) | {
            "because": position.because,
            "next_command": next_command_after_show(position, now),
            "register_calls_72h": spent,
            "way_back": {"way": rollback.state, "reason": rollback.reason},
            "history_intact": broken is None,
            "events": [
                {"seq": event.seq, "at": event.at, "kind": event.kind, "facts": _without_hidden(event.facts)}
                for event in events
            ],
            "wave_events": [wave_event_document(event) for event in wave_events],
        }
        print_json(document, show_numbers=show_numbers)
        return ExitCode.DONE
    title = f"{position.ref} ({position.e164})" if show_numbers else number_label(position)
    fields = _fields(position, now, spent)
    fields |= {"way back": rollback, "next command": next_command_after_show(position, now)}
    print_fields(title, fields, show_numbers=show_numbers)
    rows = [(f"{event.at:%Y-%m-%d %H:%M:%S}", event.kind, _facts_text(event.facts)) for event in events]
    print_line("")
    print_table("what happened (UTC)", ("when", "what", "facts"), rows, show_numbers=show_numbers)
    if wave_events:
        decided = [(f"{event.at:%Y-%m-%d %H:%M:%S}", wave_event_text(event)) for event in wave_events]
        print_line("")
        title = f"what was decided about its wave {position.wave} (UTC)"
        print_table(title, ("when", "what"), decided, show_numbers=show_numbers)
    if broken is not None:
        print_line(f"The history was changed outside cutover: event {broken} does not follow from the one before it.")
    return ExitCode.DONE


def _fields(position: Position, now: datetime, spent: int) -> dict[str, object]:
    until, gap = position.waiting_until, position.sender_gap_seconds
    return {
        "side": side_text(position, now),
        "status": current_status(position, now),
        "step": position.next_step,
        "why": reason_text(position, now),
        "until": f"{until:%Y-%m-%d %H:%M:%S} UTC" if until and until > now else None,
        "whose move": whose_move(position, now),
        "outage": outage_text(position, now),
        "service": finding_text(position) or dark_since_text(position, now),
        "sender gap": f"{gap:.1f} s" if gap is not None else None,
        "itinerary": f"{position.itinerary}: {position.because}",
        "wave": f"{position.wave}, in its canary" if position.canary else position.wave,
        "may cross": gate_text(position),
        "customer": position.customer,
        "WABA": position.waba_id,
        "phone number id": position.phone_number_id,
        "instance": position.instance.name if position.instance else "none",
        "PIN": position.pin_provenance or "of unknown provenance",
        "register calls": f"{spent} of {BUDGET_CALLS} in 72 h; the last {BUDGET_RESERVE} are a person's",
    }


def _without_hidden(facts: Mapping[str, Any]) -> dict[str, Any]:
    """An event's facts without what would show a full phone number."""
    return {
        name: {key: item for key, item in value.items() if key not in HIDDEN} if isinstance(value, dict) else value
        for name, value in facts.items()
    }


def _facts_text(facts: Mapping[str, Any]) -> str:
    visible = _without_hidden(facts)
    return "; ".join(f"{name} {value}" for name, value in visible.items() if value not in (None, "", {}))
