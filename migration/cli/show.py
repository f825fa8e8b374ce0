"""`cutover show`: one number, everything that is known of it."""

from typing import Annotated, Any

import typer

from migration.cli.console import (
    ExitCode,
    Json,
    ShowNumbers,
    open_cli_app,
    print_fields,
    print_json,
    print_line,
    print_table,
    run_verb,
)
from migration.cli.status import number_document
from migration.operations.approval import recorded_rollback_option
from migration.operations.wording import current_status, next_command, number_label, outage_text, whose_move
from state.ledger.attempts import BUDGET_CALLS, BUDGET_RESERVE
from state.rows import Position

HIDDEN = frozenset({"body"})  # what was said to the senders names the number in full


def show(
    number: Annotated[str, typer.Argument(help="Reference (N-0001), E.164 or phone number id.")],
    as_json: Json = False,
    show_numbers: ShowNumbers = False,
) -> None:
    """Show one number: where it is, how it got there, what was sent, what comes next."""
    run_verb(_show(number, as_json, show_numbers))


async def _show(number: str, as_json: bool, show_numbers: bool) -> int:
    async with open_cli_app(dry_run=True) as app:
        at = await app.queries.positions.find(number)
        now = await app.queries.now()
        events = await app.queries.records.events(at.migration_id)
        broken = await app.queries.records.broken_link(at.migration_id)
        back = await recorded_rollback_option(app, at)
        spent, _ = await app.queries.gate.budget_spent(at.phone_number_id, "register")
    if as_json:
        told = number_document(at, now, show_numbers) | {
            "because": at.because,
            "register_calls_72h": spent,
            "way_back": {"way": back.state, "reason": back.reason},
            "history_intact": broken is None,
            "events": [{"seq": e.seq, "at": e.at, "kind": e.kind, "facts": _shown(e.facts)} for e in events],
        }
        print_json(told)
        return ExitCode.DONE
    title = f"{at.ref} ({at.e164})" if show_numbers else number_label(at)
    print_fields(title, _facts(at, now, spent) | {"way back": back, "next command": next_command(at, now)})
    rows = [(f"{e.at:%Y-%m-%d %H:%M:%S}", e.kind, _brief(_shown(e.facts))) for e in events]
    print_table("\nwhat happened (UTC)", ("when", "what", "facts"), rows)
    if broken is not None:
        print_line(f"The history was changed outside cutover: event {broken} does not follow from the one before it.")
    return ExitCode.DONE


def _facts(at: Position, now: Any, spent: int) -> dict[str, object]:
    return {
        "side": f"{at.side} (read {at.side_read_at:%Y-%m-%d %H:%M:%S} UTC)" if at.side_read_at else at.side,
        "status": current_status(at, now),
        "step": at.next_step,
        "why": at.reason,
        "until": f"{at.waiting_until:%Y-%m-%d %H:%M:%S} UTC" if at.waiting_until else None,
        "whose move": whose_move(at, now),
        "outage": outage_text(at, now),
        "sender gap": f"{at.sender_gap_seconds:.1f} s" if at.sender_gap_seconds is not None else None,
        "itinerary": f"{at.itinerary}: {at.because}",
        "wave": at.wave,
        "customer": at.customer,
        "WABA": at.waba_id,
        "phone number id": at.phone_number_id,
        "instance": at.instance.name if at.instance else "none",
        "PIN": at.pin_provenance or "of unknown provenance",
        "register calls": f"{spent} of {BUDGET_CALLS} in 72 h; the last {BUDGET_RESERVE} are a person's",
    }


def _shown(told: Any) -> dict[str, Any]:
    """An event's facts without what would give a full phone number away."""
    return {
        name: {k: v for k, v in value.items() if k not in HIDDEN} if isinstance(value, dict) else value
        for name, value in told.items()
    }


def _brief(told: dict[str, Any]) -> str:
    return "; ".join(f"{name} {value}" for name, value in told.items() if value not in (None, "", {}))
