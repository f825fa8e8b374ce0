"""`cutover import`: an inventory becomes numbers with an itinerary each, all of it or nothing."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from migration.cli.exit_codes import ExitCode, run_verb, usage_error
from migration.cli.options import Json
from migration.cli.output import count_text, print_json, print_line, print_table, progress_bar
from migration.cli.session import open_cli_app, operator_name
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
            results = await import_fleet(
                app, file, operator_name(), lambda done, total: bar.update(task, completed=done, total=total)
            )
    if as_json:
        print_json({"imported": len(results), "numbers": [_document(result) for result in results]})
        return ExitCode.DONE
    _print_choices(f"{count_text(len(results))} imported", results)
    print_line("Next: `cutover preflight`, then `cutover run`.")
    return ExitCode.DONE


async def _correct(file: Path, as_json: bool) -> int:
    async with open_cli_app() as app:
        corrected, results = await correct_fleet(app, file, operator_name(), lambda done, total: None)
    refs = [number.ref for number in corrected]
    if as_json:
        print_json({"corrected": refs, "begun_anew": [_document(result) for result in results]})
        return ExitCode.DONE
    print_line(f"{count_text(len(refs))} corrected: {', '.join(refs)}.")
    if results:
        _print_choices("begun anew", results)
    print_line("Next: what was blocked goes on with `cutover resolve N-0001 --look-again --because TEXT`.")
    return ExitCode.DONE


def _print_choices(title: str, results: Sequence[CensusResult]) -> None:
    rows = [(result.ref, _choice(result), _reason(result)) for result in results]
    print_table(title, ("number", "way", "because"), rows)


def _choice(result: CensusResult) -> str:
    if isinstance(result.choice, ItineraryChoice):
        return result.choice.itinerary.value
    return result.choice.disposition.value


def _reason(result: CensusResult) -> str:
    if isinstance(result.choice, ItineraryChoice):
        return result.choice.reason + ("; dark on arrival" if result.choice.dark_on_arrival else "")
    return result.choice.reason


def _document(result: CensusResult) -> dict[str, object]:
    document: dict[str, object] = {"ref": result.ref, "because": _reason(result), "onprem": result.onprem_reading}
    if isinstance(result.choice, ItineraryChoice):
        return document | {
            "itinerary": result.choice.itinerary.value,
            "side": result.choice.side.value,
            "dark_on_arrival": result.choice.dark_on_arrival,
        }
    return document | {"disposition": result.choice.disposition.value}
