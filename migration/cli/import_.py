"""`cutover import`: an inventory becomes numbers with a way chosen for each, all of it or nothing."""

from pathlib import Path
from typing import Annotated

import typer

from migration.cli.console import Exit, Json, app_of, give, many, progress, run, say, table, usage, who_asks
from migration.fleet.census import Counted
from migration.fleet.choose_itinerary import Way
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
        usage(f"there is no file {file}")
    run(_correct(file, as_json) if correct else _import(file, as_json))


async def _import(file: Path, as_json: bool) -> int:
    async with app_of() as app:
        with progress("looking at both sides", as_json=as_json) as bar:
            task = bar.add_task("", total=None)
            counted = await import_fleet(
                app, file, who_asks(), lambda done, of: bar.update(task, completed=done, total=of)
            )
    if as_json:
        give({"imported": len(counted), "numbers": [_told(one) for one in counted]})
        return Exit.DONE
    rows = [(one.ref, _way(one), _because(one)) for one in counted]
    table(f"{many(len(counted))} imported", ("number", "way", "because"), rows)
    say("Next: `cutover preflight`, then `cutover run`.")
    return Exit.DONE


async def _correct(file: Path, as_json: bool) -> int:
    async with app_of() as app:
        corrected, counted = await correct_fleet(app, file, who_asks(), lambda done, of: None)
    if as_json:
        give({"corrected": [one.ref for one in corrected], "begun_anew": [_told(one) for one in counted]})
        return Exit.DONE
    say(f"{many(len(corrected))} corrected: {', '.join(one.ref for one in corrected)}.")
    if counted:
        table("begun anew", ("number", "way", "because"), [(one.ref, _way(one), _because(one)) for one in counted])
    say("Next: what was blocked goes on with `cutover resolve N-0001 --look-again --because TEXT`.")
    return Exit.DONE


def _way(one: Counted) -> str:
    return one.way.itinerary.value if isinstance(one.way, Way) else one.way.disposition.value


def _because(one: Counted) -> str:
    if isinstance(one.way, Way):
        return one.way.because + ("; dark on arrival" if one.way.dark_on_arrival else "")
    return one.way.reason


def _told(one: Counted) -> dict[str, object]:
    told: dict[str, object] = {"ref": one.ref, "because": _because(one), "onprem": one.onprem}
    if isinstance(one.way, Way):
        return told | {
            "itinerary": one.way.itinerary.value,
            "side": one.way.side.value,
            "dark_on_arrival": one.way.dark_on_arrival,
        }
    return told | {"disposition": one.way.disposition.value}
