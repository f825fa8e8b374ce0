"""`cutover ask-code`: somebody is at the phone of a number, now or at an agreed time; or nobody is any more."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from migration.app import App
from migration.cli.confirming import ChangeReport, change_number
from migration.cli.options import DryRun, Json, NumberArgument
from migration.cli.running import run_verb, usage_error
from migration.cli.session import operator_name
from migration.fleet.people_cells import language_problem, local_time, zone_problem
from migration.operations.at_the_phone import Asked, NextCode, ask_code, book_slot, cancel_slot, leave_phone
from state.rows import Position


class Method(StrEnum):
    """How a code can be sent."""

    SMS = "SMS"
    VOICE = "VOICE"
    IVR = "IVR"  # a call to a machine that answers and can be told to take it


def ask_code_(
    number: NumberArgument,
    method: Annotated[Method | None, typer.Option(case_sensitive=False, help="SMS or a call; default: chosen.")] = None,
    language: Annotated[str | None, typer.Option(help="Of the message, as in pt_BR; default: the number's.")] = None,
    lost: Annotated[bool, typer.Option("--lost", help="The last code did not come: ask for another.")] = False,
    answering_machine: Annotated[
        bool, typer.Option("--answering-machine", help="An answering machine took the call: ask for another.")
    ] = False,
    start: Annotated[
        str | None, typer.Option("--from", help='Not now: somebody will be there from, as in "2026-12-01 10:00".')
    ] = None,
    end: Annotated[str | None, typer.Option("--to", help="With --from: until when.")] = None,
    time_zone: Annotated[str, typer.Option("--tz", help="Of --from and --to, as in America/Sao_Paulo.")] = "UTC",
    cancel: Annotated[bool, typer.Option("--cancel", help="The slot that was booked is given up.")] = False,
    nobody: Annotated[bool, typer.Option("--nobody", help="Nobody is at the phone any more.")] = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Say that somebody is at the phone of a number, so that its code may be asked for. Workers ask; this does not."""
    report, by = ChangeReport(as_json, dry_run), operator_name()
    if sum([start is not None or end is not None, cancel, nobody, lost or answering_machine]) > 1:
        usage_error("one of --from with --to, --cancel, --nobody and --lost at a time; nothing was changed")
    if language is not None and (problem := language_problem(language)) is not None:
        usage_error(f"--language {problem}; nothing was changed")
    if cancel:
        run_verb(change_number(report, number, "give up its slot", lambda app: cancel_slot(app, number, by)))
    if nobody:
        will = "ask for no code of it until somebody is at the phone again"
        because = "nobody is at the phone"
        run_verb(change_number(report, number, will, lambda app: leave_phone(app, number, because, by)))
    if start is not None or end is not None:
        begins, ends = _slot(start, end, time_zone)
        will = "let its code be asked for in this slot"
        run_verb(change_number(report, number, will, lambda app: book_slot(app, number, begins, ends, by)))
    chosen = NextCode(method.value if method else None, language, lost, answering_machine)
    run_verb(_ask(report, number, chosen, by))


async def _ask(report: ChangeReport, number: str, chosen: NextCode, by: str) -> int:
    messages: list[str] = []

    async def ask(app: App) -> Asked:
        asked = await ask_code(app, number, how="ask_code", by=by, next_code=chosen)
        messages[:] = [asked.message]
        return asked

    def will(_position: Position) -> str:
        return messages[0] if messages else "say that somebody is at the phone"

    return await change_number(report, number, will, ask)


def _slot(start: str | None, end: str | None, time_zone: str) -> tuple[datetime, datetime]:
    if start is None or end is None:
        usage_error("a slot needs both --from and --to; nothing was changed")
    if (problem := zone_problem(time_zone)) is not None:
        usage_error(f"--tz {problem}; nothing was changed")
    begins, ends = local_time(start, time_zone), local_time(end, time_zone)
    if begins is None or ends is None:
        usage_error(f'a time is written as in "2026-12-01 10:00" ({ZoneInfo(time_zone)}); nothing was changed')
    return begins, ends
