"""`cutover import`: an inventory becomes numbers with a way chosen for each, all of it or nothing."""

from pathlib import Path
from typing import Annotated

import typer

from migration.cli.console import (
    ExitCode,
    Json,
    count_text,
    open_cli_app,
    operator_name,
    print_json,
    print_line,
    print_table,
    progress_bar,
    run_verb,
    usage_error,
)
from migration.fleet.census import CensusResult
from migration.fleet.choose_itinerary import ItineraryChoice
from migration.fleet.importing import correct_fleet, import_fleet


def import_(
    file: Annotated[Path, typer.Argument(help="A CSV file, one number a row; docs/inventory.md lists the columns.")],
    correct: Annotated[
        bool, typer.Option("--correct", help="The numbers are known: take their rows over what was imported before.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Take a fleet in: check the file, check it against Graph, write all of it or nothing, choose each way."""
    if not file.is_file():
        usage_error(f"there is no file {file}")
    run_verb(_correct(file, as_json) if correct else _import(file, as_json))


async def _import(file: Path, as_json: bool) -> int:
    async with open_cli_app() as app:
        with progress_bar("looking at both sides", as_json=as_json) as bar:
            task = bar.add_task("", total=None)
            counted = await import_fleet(
                app, file, operator_name(), lambda done, of: bar.update(task, completed=done, total=of)
            )
    if as_json:
        print_json({"imported": len(counted), "numbers": [_told(one) for one in counted]})
        return ExitCode.DONE
    rows = [(one.ref, _way(one), _because(one)) for one in counted]
    print_table(f"{count_text(len(counted))} imported", ("number", "way", "because"), rows)
    print_line("Next: `cutover preflight`, then `cutover run`.")
    return ExitCode.DONE


async def _correct(file: Path, as_json: bool) -> int:
    async with open_cli_app() as app:
        corrected, counted = await correct_fleet(app, file, operator_name(), lambda done, of: None)
    if as_json:
        print_json({"corrected": [one.ref for one in corrected], "begun_anew": [_told(one) for one in counted]})
        return ExitCode.DONE
    print_line(f"{count_text(len(corrected))} corrected: {', '.join(one.ref for one in corrected)}.")
    if counted:
        print_table(
            "begun anew", ("number", "way", "because"), [(one.ref, _way(one), _because(one)) for one in counted]
        )
    print_line("Next: what was blocked goes on with `cutover resolve N-0001 --look-again --because TEXT`.")
    return ExitCode.DONE


def _way(one: CensusResult) -> str:
    return one.choice.itinerary.value if isinstance(one.choice, ItineraryChoice) else one.choice.disposition.value


def _because(one: CensusResult) -> str:
    if isinstance(one.choice, ItineraryChoice):
        return one.choice.reason + ("; dark on arrival" if one.choice.dark_on_arrival else "")
    return one.choice.reason


def _told(one: CensusResult) -> dict[str, object]:
    told: dict[str, object] = {"ref": one.ref, "because": _because(one), "onprem": one.onprem_reading}
    if isinstance(one.choice, ItineraryChoice):
        return told | {
            "itinerary": one.choice.itinerary.value,
            "side": one.choice.side.value,
            "dark_on_arrival": one.choice.dark_on_arrival,
        }
    return told | {"disposition": one.choice.disposition.value}
