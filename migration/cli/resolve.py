"""`cutover resolve`: what a person decides about a number that cannot continue by itself."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

import typer
from pydantic import SecretStr

from migration.app import App
from migration.cli.bulk import Blocked, FromFile, OfWave, Selection, change_numbers
from migration.cli.confirming import ChangeReport, change_number
from migration.cli.options import Because, Confirm, DryRun, Json
from migration.cli.running import run_verb, usage_error
from migration.cli.session import operator_name, prompt_hidden, read_typed_line
from migration.engine.itineraries import ItineraryName
from migration.operations.numbers import (
    dispose,
    hand_in_pin,
    record_onprem_off,
    record_senders_resumed,
    record_two_step_off,
    recover_forward,
    retry_number,
    spend_reserve,
    state_terms,
    switch_itinerary,
    take_over,
)
from state.enums import Status
from state.rows import Position

# Itineraries that have a command of their own, which checks the number first.
OTHER_COMMANDS = {
    ItineraryName.BACK_TO_ONPREM: "back-to-onprem {number} --confirm {number}",
    ItineraryName.ABORT: 'abort {number} --because "..." --confirm {number}',
}
# What a dry run hands in: nobody is asked for a PIN that is not stored.
PLACEHOLDER_PIN = SecretStr("000000")


@dataclass(frozen=True, slots=True)
class Remedy:
    """One decision. `will` says what follows from it; `action` takes the app, the reason and the person."""

    will: str
    action: Callable[[App, str, str], Awaitable[Position]]
    needs_confirm: bool = False
    settles: bool = False  # it is refused while it is not known what a call did


def resolve(
    because: Because,
    numbers: Annotated[
        list[str] | None, typer.Argument(help="Reference (N-0001), E.164 or phone number id; several to look again.")
    ] = None,
    again: Annotated[bool, typer.Option("--look-again", help="Its cause is mended: look at the number now.")] = False,
    switch: Annotated[str | None, typer.Option("--switch", help="Another itinerary, from its first step.")] = None,
    onprem_off: Annotated[
        bool, typer.Option("--onprem-off", help="You vouch that its On-Premises client is off and stays off.")
    ] = False,
    pin_handed_in: Annotated[
        bool, typer.Option("--pin-handed-in", help="Somebody knows its PIN for certain; it is asked for, hidden.")
    ] = False,
    two_step_off: Annotated[
        bool, typer.Option("--two-step-off", help="You vouch that its two-step verification is turned off.")
    ] = False,
    terms: Annotated[
        bool, typer.Option("--terms-accepted", help="You vouch that its customer's business accepted Meta's Terms.")
    ] = False,
    over: Annotated[
        bool, typer.Option("--take-over", help="Somebody else moved it to Cloud: go on from there, without its PIN.")
    ] = False,
    reserve: Annotated[
        bool, typer.Option("--spend-reserve", help="It may use the last three register or deregister calls of 72 h.")
    ] = False,
    senders_resumed: Annotated[
        bool, typer.Option("--senders-resumed", help="You vouch that its paused senders go on, at the right side.")
    ] = False,
    disposition: Annotated[
        str | None, typer.Option("--dispose", help="It ends otherwise: churned, line_lost, other_partner, ...")
    ] = None,
    stdin: Annotated[bool, typer.Option("--stdin", help="Read the PIN from standard input.")] = False,
    wave: OfWave = None,
    blocked: Blocked = False,
    file: FromFile = None,
    confirm: Confirm = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Decide what becomes of a number that is blocked, dark or waiting. Exactly one decision at a time."""
    selection = Selection(numbers or (), wave, blocked, file)
    number = "" if selection.is_bulk else selection.single
    remedies: dict[str, Callable[[], Remedy] | None] = {
        "--look-again": (lambda: _retry(number)) if again else None,
        "--switch": (lambda: _switch(number, switch)) if switch is not None else None,
        "--onprem-off": (lambda: _onprem_off(number)) if onprem_off else None,
        "--pin-handed-in": (lambda: _pin_handed_in(number, stdin=stdin, dry_run=dry_run)) if pin_handed_in else None,
        "--two-step-off": (lambda: _two_step_off(number)) if two_step_off else None,
        "--terms-accepted": (lambda: _terms_accepted(number)) if terms else None,
        "--take-over": (lambda: _take_over(number)) if over else None,
        "--spend-reserve": (lambda: _spend_reserve(number)) if reserve else None,
        "--senders-resumed": (lambda: _senders_resumed(number)) if senders_resumed else None,
        "--dispose": (lambda: _dispose(number, disposition)) if disposition is not None else None,
    }
    given = [make_remedy for make_remedy in remedies.values() if make_remedy is not None]
    if len(given) != 1:
        usage_error(f"give exactly one of {', '.join(remedies)}")
    if selection.is_bulk:
        if not again and not terms:
            usage_error("of these decisions only --look-again and --terms-accepted are taken about several numbers")
        decide = _retry_many if again else _state_terms_of_many
        run_verb(decide(selection, because, ChangeReport(as_json, dry_run)))
    remedy = given[0]()
    report = ChangeReport(as_json, dry_run, needs_confirm=remedy.needs_confirm, confirm=confirm)

    async def act(app: App) -> Position:
        return await remedy.action(app, because, operator_name())

    run_verb(change_number(report, number, remedy.will, act, settles=remedy.settles))


async def _retry_many(selection: Selection, because: str, report: ChangeReport) -> int:
    return await change_numbers(
        report,
        selection,
        "let each number be looked at again; its next step begins by reading",
        lambda app, ref: retry_number(app, ref, because, operator_name()),
        lambda row: row.status in (Status.BLOCKED, Status.WAITING, Status.HELD),
    )


async def _state_terms_of_many(selection: Selection, because: str, report: ChangeReport) -> int:
    return await change_numbers(
        report,
        selection,
        "write down your word that the businesses of these customers have accepted Meta's Terms",
        lambda app, ref: state_terms(app, ref, because, operator_name()),
        lambda row: row.ended_at is None and not row.terms_known,
    )


def _retry(number: str) -> Remedy:
    return Remedy(
        "let the number be looked at again; its next step begins by reading",
        lambda app, because, by: retry_number(app, number, because, by),
    )


def _switch(number: str, itinerary: str) -> Remedy:
    name = itinerary.upper()
    if name in OTHER_COMMANDS:
        usage_error(f"for {name} there is `cutover {OTHER_COMMANDS[ItineraryName(name)].format(number=number)}`")
    if name == ItineraryName.FORWARD_RECOVERY:
        return Remedy(
            "bring the number up on Cloud: both sides are read, a code is asked for where one is needed, register",
            lambda app, because, by: recover_forward(app, number, because, by),
            needs_confirm=True,
        )
    return Remedy(
        f"put the number on {name}, at its first step",
        lambda app, because, by: switch_itinerary(app, number, name, because, by),
        settles=True,
    )


def _onprem_off(number: str) -> Remedy:
    return Remedy(
        "write down your word that its On-Premises client is off; it counts as a reading",
        lambda app, because, by: record_onprem_off(app, number, because, by),
    )


def _pin_handed_in(number: str, *, stdin: bool, dry_run: bool) -> Remedy:
    pin = PLACEHOLDER_PIN if dry_run else _read_pin(stdin=stdin)
    return Remedy(
        "seal the PIN; the next register sends it",
        lambda app, because, by: hand_in_pin(app, number, pin, because, by),
    )


def _read_pin(*, stdin: bool) -> SecretStr:
    pin = read_typed_line() if stdin else prompt_hidden("PIN")
    if not pin:
        usage_error("no PIN was given")
    return SecretStr(pin)


def _two_step_off(number: str) -> Remedy:
    return Remedy(
        "write down your word that two-step verification is off; the next register sets a new PIN",
        lambda app, because, by: record_two_step_off(app, number, because, by),
    )


def _terms_accepted(number: str) -> Remedy:
    return Remedy(
        "write down your word that its customer's business has accepted Meta's Terms; it counts for all of its numbers",
        lambda app, because, by: state_terms(app, number, because, by),
    )


def _take_over(number: str) -> Remedy:
    return Remedy(
        "go on with it as a number on Cloud: senders are told, the smoke message is sent; its PIN is not known here",
        lambda app, because, by: take_over(app, number, because, by),
        needs_confirm=True,
    )


def _spend_reserve(number: str) -> Remedy:
    return Remedy(
        "let this migration use the last three calls of its 72 h; with the tenth the number is locked for 72 h",
        lambda app, because, by: spend_reserve(app, number, because, by),
    )


def _senders_resumed(number: str) -> Remedy:
    return Remedy(
        "write down your word that its senders go on; its hook is not told so any more",
        lambda app, because, by: record_senders_resumed(app, number, because, by),
    )


def _dispose(number: str, disposition: str) -> Remedy:
    return Remedy(
        f"end the number for good, not moved: {disposition}",
        lambda app, because, by: dispose(app, number, disposition, because, by),
        needs_confirm=True,
        settles=True,
    )
