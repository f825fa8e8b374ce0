"""`cutover status`: what is true of every number, what is down and since when, and who has to act."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import typer

from migration.cli.exit_codes import ExitCode
from migration.cli.home_line import home_fields, print_home
from migration.cli.number_document import number_document
from migration.cli.options import Json, ShowNumbers
from migration.cli.output import count_text, print_json, print_line, print_lines, print_table
from migration.cli.paused_senders import paused_document, paused_lines
from migration.cli.running import run_verb
from migration.cli.session import open_cli_reader
from migration.engine.sender_needs import owes_resume
from migration.operations.call_wording import limit_document, limit_line
from migration.operations.proof_wording import (
    moved_line,
    not_proved_line,
    proof_text,
    reported_texts,
)
from migration.operations.service_wording import (
    dark_seconds,
    dark_since_text,
    finding_text,
    outage_text,
    shown_side,
    side_text,
    stopped_by_itself,
)
from migration.operations.wave_wording import (
    canary_text,
    next_wave_command,
    released_text,
    wave_event_document,
    wave_event_text,
)
from migration.operations.wording import shown_number, whose_move
from migration.waves.next_command import current_status, next_command
from state.errors import NotFound
from state.proof import not_proved
from state.queries.calls import CallLimit
from state.queries.listing import NumberFilter
from state.queries.queries import Queries
from state.rows import AnyPosition, ListedNumber, Position, WaveEventRow, WaveRow

SHOWN_UNPROVED = 30  # numbers, a line each
NO_MIGRATION = "no migration yet: `cutover preflight`"
SIDE_NAMES = {"neither": "neither side", "on_premises": "On-Premises", "cloud": "Cloud", "unknown": "an unknown side"}


@dataclass(frozen=True, slots=True)
class Fleet:
    """What is shown: all of the fleet, or one wave."""

    now: datetime
    board: Sequence[ListedNumber]
    without_migration: Sequence[Mapping[str, Any]]
    waves: Sequence[WaveRow]
    halted_profiles: Sequence[Mapping[str, Any]]
    paused: Sequence[Position]  # also of migrations that have ended
    wave_events: Mapping[str, Sequence[WaveEventRow]]
    call_limits: Sequence[CallLimit] = ()  # of Graph, where they hold numbers back


def status(
    wave: Annotated[str | None, typer.Argument(help="Only the numbers of this wave.")] = None,
    as_json: Json = False,
    show_numbers: ShowNumbers = False,
) -> None:
    """Show every number: side, status, outage, whose move, what to type next.

    Exit code 3: senders are still paused, or a number that stands still has stopped serving.
    """
    run_verb(_status(wave, as_json, show_numbers))


async def _status(wave: str | None, as_json: bool, show_numbers: bool) -> int:
    async with open_cli_reader() as reader:
        fleet = await read_fleet(reader.queries, wave)
    if as_json:
        document = home_fields(reader.settings, reader.home) | fleet_document(fleet, show_numbers)
        print_json(document, show_numbers=show_numbers)
    else:
        print_home(reader.settings, reader.home, as_json=as_json)
        if reader.is_older_copy:
            print_line("An older copy of the database was put in its place; see `cutover runbook restored`.")
        if reader.copied_from is not None:
            print_line(f"{reader.copied_from[0].upper()}{reader.copied_from[1:]}.")
        _print_fleet(fleet, show_numbers)
    still_paused = any(owes_resume(position) for position in fleet.paused)
    gone = any(stopped_by_itself(position) for position in fleet.board)
    return ExitCode.NOT_ALL_MOVED if still_paused or gone else ExitCode.DONE


async def read_fleet(queries: Queries, wave: str | None) -> Fleet:
    """All that `status` shows. Raises NotFound for an unknown wave."""
    waves = [row for row in await queries.waves.all() if wave in (None, row.name)]
    if wave is not None and not waves:
        raise NotFound(f"there is no wave {wave}; `cutover status` lists the waves")
    events = await (queries.waves.all_events() if wave is None else _events_of(queries, wave))
    return Fleet(
        board=await queries.listing.all(NumberFilter(wave=wave)),
        without_migration=await queries.fleet.without_migration() if wave is None else (),
        waves=waves,
        wave_events={row.name: events.get(row.name, ()) for row in waves},
        halted_profiles=[row for row in await queries.fleet.profiles() if row["halted_at"] is not None],
        paused=[row for row in await queries.positions.paused() if wave in (None, row.wave)],
        call_limits=await queries.calls.holding_back(),
        now=await queries.now(),
    )


async def _events_of(queries: Queries, wave: str) -> Mapping[str, Sequence[WaveEventRow]]:
    return {wave: await queries.waves.events(wave)}


def fleet_document(fleet: Fleet, show_numbers: bool) -> dict[str, Any]:
    """What `status --json` prints, but for the home."""
    return {
        "now": fleet.now,
        "numbers": [number_document(position, fleet.now, show_numbers) for position in fleet.board],
        "paused_senders": paused_document(fleet.paused),
        "call_limits": [limit_document(limit) for limit in fleet.call_limits],
        "ended_otherwise": [
            {"ref": row["ref"], "disposition": row["disposition"], "reason": row["disposition_reason"]}
            for row in fleet.without_migration
        ],
        "waves": [
            {
                "name": row.name,
                "state": row.state,
                "released": row.released,
                "may_cross": released_text(row),
                "on_hold": row.on_hold,
                "numbers": row.numbers,
                "because": row.because,
                "canary": row.canary,
                "released_by_name": row.named,
                "events": [wave_event_document(event) for event in fleet.wave_events[row.name]],
            }
            for row in fleet.waves
        ],
    }


def _print_fleet(fleet: Fleet, show_numbers: bool) -> None:
    if not fleet.board and not fleet.without_migration and not fleet.waves:
        print_line("There are no numbers. Next: `cutover import FILE`.")
    else:
        _print_numbers(fleet, show_numbers)
        for wave in fleet.waves:
            _print_wave(wave, fleet)
        _print_totals(fleet)
    for limit in fleet.call_limits:
        print_line(limit_line(limit))
    for line in paused_lines(fleet.paused, fleet.now):
        print_line(line)
    for profile in fleet.halted_profiles:
        halted = f"credential profile {profile['name']} is halted: {profile['halted_because']}"
        print_line(f"{halted}; see `cutover runbook token-refused`")


def _print_numbers(fleet: Fleet, show_numbers: bool) -> None:
    """Dark numbers first, the longest outage at the top."""
    now = fleet.now
    ordered = sorted(fleet.board, key=lambda position: (-(dark_seconds(position, now) or 0.0), position.number_id))
    rows = [
        (
            position.ref,
            shown_number(position, show_numbers),
            position.itinerary,
            side_text(position, now),
            proof_text(position),
            current_status(position, now).value,
            position.next_step or "-",
            outage_text(position, now),
            whose_move(position, now),
            next_command(position, now),
        )
        for position in ordered
    ]
    columns = ("number", "", "itinerary", "side", "service", "status", "step", "outage", "move", "next command")
    print_table("", columns, rows, show_numbers=show_numbers)
    print_lines(
        f"{row['ref']}  {row['disposition'] or NO_MIGRATION}  {row['disposition_reason'] or ''}"
        for row in fleet.without_migration
    )


def _print_wave(row: WaveRow, fleet: Fleet) -> None:
    """With its last decision; of the only wave that is shown, with all of them."""
    reason = f": {row.because}" if row.because else ""
    command = next_wave_command(row, fleet.now)
    advice = f"; next: {command}" if command is not None else ""
    numbers = count_text(row.numbers)
    print_line(f"wave {row.name}: {row.state}, {numbers}{canary_text(row)}, {released_text(row)}{reason}{advice}")
    events = fleet.wave_events[row.name]
    for event in events if len(fleet.waves) == 1 else events[-1:]:
        print_line(f"  {event.at:%Y-%m-%d %H:%M:%S} UTC  {wave_event_text(event)}")


def _print_totals(fleet: Fleet) -> None:
    counts = Counter(shown_side(position).value for position in fleet.board)
    sides = ", ".join(f"{count} on {SIDE_NAMES.get(side, side)}" for side, count in counts.items())
    dark = [
        position for position in fleet.board if position.dark_by_us and dark_seconds(position, fleet.now) is not None
    ]
    print_line(f"{count_text(len(fleet.board))}: {sides or 'none'}. Dark by us: {len(dark)}.")
    print_lines(proof_lines(fleet.board))
    print_lines(filter(None, (_dark_line(position, fleet.now) for position in fleet.board)))


def proof_lines(board: Sequence[AnyPosition]) -> Iterator[str]:
    """How many of the moved numbers are proved, which are not, and what Meta reports of the others."""
    moved = moved_line(board)
    if moved is None and not any(position.reported or position.waba_reported for position in board):
        return
    if moved is not None:
        yield moved
    unproved = not_proved(board)
    yield from (not_proved_line(position) for position in unproved[:SHOWN_UNPROVED])
    if len(unproved) > SHOWN_UNPROVED:
        yield f"and {len(unproved) - SHOWN_UNPROVED} more that are not proved: `cutover status --json` has them"
    told = {position.migration_id for position in unproved}
    for position in board:
        if position.migration_id not in told and (texts := reported_texts(position)):
            yield f"{position.ref}: {'; '.join(texts)}"


def _dark_line(position: ListedNumber, now: datetime) -> str | None:
    """What was found of a number that is not served, or since when it is not; None of one that is."""
    finding = finding_text(position)
    if finding is not None:
        return finding
    since = dark_since_text(position, now)
    return f"{position.ref} is {since}" if since is not None else None
