"""`cutover resolve`: what a person decides about a number that cannot go on by itself."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated

import typer
from pydantic import SecretStr

from migration.app import App
from migration.cli.confirming import Because, Confirm, Confirmation, DryRun, NumberArgument, change_number
from migration.cli.console import Json, operator_name, prompt_hidden, read_typed_line, run_verb, usage_error
from migration.engine.itineraries import ItineraryName
from migration.operations.numbers import (
    dispose,
    hand_in_pin,
    record_onprem_off,
    record_two_step_off,
    recover_forward,
    retry_number,
    spend_reserve,
    switch_itinerary,
)
from state.rows import Position

# Itineraries that have a command of their own, which looks before it leaps.
ELSEWHERE = {
    ItineraryName.BACK_TO_ONPREM: "back-to-onprem {number} --confirm {number}",
    ItineraryName.ABORT: 'abort {number} --because "..." --confirm {number}',
}


@dataclass(frozen=True, slots=True)
class Remedy:
    """One thing that can be decided; `will` says what follows from it."""

    will: str
    act: Callable[[App, str, str], Awaitable[Position]]  # app, because, by
    needs_confirm: bool = False


def resolve(
    number: NumberArgument,
    because: Because,
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
    reserve: Annotated[
        bool, typer.Option("--spend-reserve", help="It may use the last three register or deregister calls of 72 h.")
    ] = False,
    disposition: Annotated[
        str | None, typer.Option("--dispose", help="It ends otherwise: churned, line_lost, other_partner, ...")
    ] = None,
    stdin: Annotated[bool, typer.Option("--stdin", help="Read the PIN from standard input.")] = False,
    confirm: Confirm = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Decide what becomes of a number that is blocked, dark or waiting. Exactly one decision at a time."""
    given = {
        "--look-again": again,
        "--switch": switch is not None,
        "--onprem-off": onprem_off,
        "--pin-handed-in": pin_handed_in,
        "--two-step-off": two_step_off,
        "--spend-reserve": reserve,
        "--dispose": disposition is not None,
    }
    if sum(given.values()) != 1:
        usage_error(f"give exactly one of {', '.join(given)}")
    pin = _asked_pin(stdin=stdin) if pin_handed_in and not dry_run else None
    if switch is not None:
        remedy = _switching(number, switch)
    else:
        remedy = _remedies(number, disposition or "", pin)[next(name for name, there in given.items() if there)]
    asked = Confirmation(as_json, dry_run, needs_confirm=remedy.needs_confirm, confirm=confirm)
    run_verb(change_number(asked, number, remedy.will, lambda app: remedy.act(app, because, operator_name())))


def _asked_pin(*, stdin: bool) -> SecretStr:
    typed = read_typed_line() if stdin else prompt_hidden("PIN")
    if not typed:
        usage_error("no PIN was given")
    return SecretStr(typed)


def _switching(number: str, itinerary: str) -> Remedy:
    name = itinerary.upper()
    if name in ELSEWHERE:
        usage_error(f"for {name} there is `cutover {ELSEWHERE[ItineraryName(name)].format(number=number)}`")
    if name == ItineraryName.FORWARD_RECOVERY:
        return Remedy(
            "bring the number up on Cloud: both sides are read, a code is asked for where one is needed, register",
            lambda app, because, by: recover_forward(app, number, because, by),
            needs_confirm=True,
        )
    return Remedy(
        f"put the number on {name}, at its first step",
        lambda app, because, by: switch_itinerary(app, number, name, because, by),
    )


def _remedies(number: str, disposition: str, pin: SecretStr | None) -> Mapping[str, Remedy]:
    return {
        "--look-again": Remedy(
            "let the number be looked at again; its next step begins by reading",
            lambda app, because, by: retry_number(app, number, because, by),
        ),
        "--onprem-off": Remedy(
            "write down your word that its On-Premises client is off; it counts as a reading",
            lambda app, because, by: record_onprem_off(app, number, because, by),
        ),
        "--pin-handed-in": Remedy(
            "seal the PIN; the next register sends it",
            lambda app, because, by: hand_in_pin(app, number, pin or SecretStr("000000"), because, by),
        ),
        "--two-step-off": Remedy(
            "write down your word that two-step verification is off; the next register sets a new PIN",
            lambda app, because, by: record_two_step_off(app, number, because, by),
        ),
        "--spend-reserve": Remedy(
            "let this migration use the last three calls of its 72 h; with the tenth the number is locked for 72 h",
            lambda app, because, by: spend_reserve(app, number, because, by),
        ),
        "--dispose": Remedy(
            f"end the number for good, not moved: {disposition}",
            lambda app, because, by: dispose(app, number, disposition, because, by),
            needs_confirm=True,
        ),
    }
