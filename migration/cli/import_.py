"""`cutover import`: an inventory becomes numbers with an itinerary each, all of it or nothing."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Annotated

import typer

from migration.app import App
from migration.cli.exit_codes import ExitCode
from migration.cli.home_line import home_fields, print_home
from migration.cli.options import Json
from migration.cli.output import count_text, print_json, print_line, print_table, progress_bar
from migration.cli.running import run_verb, usage_error
from migration.cli.session import open_cli_app, operator_name
from migration.fleet.census import CensusResult, NotLooked
from migration.fleet.choose_itinerary import ItineraryChoice, NoItinerary
from migration.fleet.importing import correct_fleet, import_fleet
from migration.fleet.people_files import read_customers, read_roster
from migration.operations.codes_needed import codes_needed, codes_needed_document, codes_needed_lines
from migration.scrubbing.masking import masked
from state.enums import Status


def import_(
    file: Annotated[
        Path | None, typer.Argument(help="A CSV file, one number a row; docs/inventory.md lists the columns.")
    ] = None,
    correct: Annotated[
        bool, typer.Option("--correct", help="The numbers are known: take their rows over what was imported before.")
    ] = False,
    customers: Annotated[
        Path | None,
        typer.Option(help="A CSV file of customers that are imported: whom to call, when, in what language."),
    ] = None,
    roster: Annotated[Path | None, typer.Option(help="A CSV file of operators on duty; replaces the last one.")] = None,
    as_json: Json = False,
) -> None:
    """Import a fleet: check the file and each number at Graph, write all rows or none, choose each itinerary."""
    if file is None and customers is None and roster is None:
        usage_error("name a file: of numbers, --customers or --roster")
    if file is None and correct:
        usage_error("--correct needs the file of numbers")
    if file is not None and (customers is not None or roster is not None):
        usage_error("one file at a time: the numbers first, then --customers and --roster")
    for path in (file, customers, roster):
        if path is not None and not path.is_file():
            usage_error(f"there is no file {path}")
    if file is None:
        run_verb(_import_people(customers, roster, as_json))
    run_verb(_correct(file, as_json) if correct else _import(file, as_json))


async def _import_people(customers: Path | None, roster: Path | None, as_json: bool) -> int:
    """Both files are read before either is taken over."""
    known = read_customers(customers) if customers is not None else None
    shifts = read_roster(roster) if roster is not None else None
    document: dict[str, object] = {}
    async with open_cli_app() as app:
        print_home(app.settings, app.home, as_json=as_json)
        if known is not None:
            await app.ledger.people.correct_customers(known, operator_name())
            document["customers"] = len(known)
        if shifts is not None:
            await app.ledger.people.replace_roster(shifts, operator_name())
            document |= {"shifts": len(shifts), "operators": len({shift.operator for shift in shifts})}
    if as_json:
        print_json(home_fields(app.settings, app.home) | document)
    else:
        print_line(
            ", ".join(count_text(int(str(count)), name[:-1]) for name, count in document.items()) + " taken over."
        )
    return ExitCode.DONE


async def _import(file: Path, as_json: bool) -> int:
    async with open_cli_app() as app:
        print_home(app.settings, app.home, as_json=as_json)
        with progress_bar("looking at both sides", as_json=as_json) as bar:
            task = bar.add_task("", total=None)
            results = await import_fleet(
                app, file, operator_name(), lambda done, total: bar.update(task, completed=done, total=total)
            )
        refs = {result.ref for result in results}
        board = [position for position in await app.queries.positions.board() if position.ref in refs]
        needed = await codes_needed(app, board)
    if as_json:
        document = {"imported": len(results), "numbers": [_document(result) for result in results]}
        print_json(home_fields(app.settings, app.home) | document | codes_needed_document(needed))
        return _exit_code(results)
    _print_choices(f"{count_text(len(results))} imported", results)
    _print_unread(results)
    for line in codes_needed_lines(needed):
        print_line(line)
    print_line("Next: `cutover preflight`, then `cutover run`.")
    return _exit_code(results)


async def _correct(file: Path, as_json: bool) -> int:
    async with open_cli_app() as app:
        print_home(app.settings, app.home, as_json=as_json)
        corrected, results = await correct_fleet(app, file, operator_name(), lambda done, total: None)
        blocked = await _blocked(app, {number.number_id for number in corrected})
    refs = [number.ref for number in corrected]
    if as_json:
        document = {"corrected": refs, "begun_anew": [_document(result) for result in results]}
        print_json(home_fields(app.settings, app.home) | document)
        return _exit_code(results)
    print_line(f"{count_text(len(refs))} corrected: {', '.join(refs)}.")
    if results:
        _print_choices("begun anew", results)
        _print_unread(results)
    if blocked:
        command = f"cutover resolve {blocked[0]} --look-again --because TEXT"
        print_line(f"{count_text(len(blocked))} blocked: {', '.join(blocked)}. Next: `{command}`.")
    return _exit_code(results)


async def _blocked(app: App, number_ids: Collection[int]) -> list[str]:
    """References of those among these numbers that a person has to let go on."""
    board = await app.queries.positions.board()
    return [row.ref for row in board if row.number_id in number_ids and row.status is Status.BLOCKED]


def _not_looked(results: Sequence[CensusResult]) -> int:
    return sum(1 for result in results if isinstance(result.choice, NotLooked))


def _exit_code(results: Sequence[CensusResult]) -> int:
    return ExitCode.NOT_ALL_MOVED if _not_looked(results) else ExitCode.DONE


def _print_unread(results: Sequence[CensusResult]) -> None:
    """What becomes of the numbers that are imported and could not be looked at."""
    count = _not_looked(results)
    if count:
        print_line(f"{count_text(count)} imported without an itinerary; `cutover preflight` looks again.")


def _print_choices(title: str, results: Sequence[CensusResult]) -> None:
    rows = [(f"{result.ref} {masked(result.e164)}", _choice(result), reason_of_choice(result)) for result in results]
    print_table(title, ("number", "way", "because"), rows)


def _choice(result: CensusResult) -> str:
    match result.choice:
        case ItineraryChoice():
            return result.choice.itinerary.value
        case NoItinerary():
            return result.choice.disposition.value
        case NotLooked():
            return "could not look"


def reason_of_choice(result: CensusResult) -> str:
    """Why a number got its itinerary, or none."""
    if isinstance(result.choice, ItineraryChoice):
        return result.choice.reason + ("; dark on arrival" if result.choice.dark_on_arrival else "")
    return result.choice.reason


def _document(result: CensusResult) -> dict[str, object]:
    document: dict[str, object] = {
        "ref": result.ref,
        "because": reason_of_choice(result),
        "onprem": result.onprem_reading,
    }
    if isinstance(result.choice, ItineraryChoice):
        return document | {
            "itinerary": result.choice.itinerary.value,
            "side": result.choice.side.value,
            "dark_on_arrival": result.choice.dark_on_arrival,
        }
    if isinstance(result.choice, NoItinerary):
        return document | {"disposition": result.choice.disposition.value}
    return document | {"could_not_look": True}
