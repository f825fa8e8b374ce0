"""`cutover plan`: put numbers into a wave, and say when and how it may cross."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import typer

from migration.app import App
from migration.cli.confirming import Confirmation, DryRun, carry_out, open_for_change, wave_document
from migration.cli.console import Json, count_text, run_verb, usage_error
from migration.errors import OperationRefused
from migration.operations.approval import recorded_rollback_options, released_numbers
from migration.operations.wave_wording import ENDED_STATES, wave_line
from migration.operations.waves import change_window, plan_wave
from migration.steps.rollback_options import summarize_rollbacks
from migration.waves.names import wave_name_problem
from migration.waves.plan import WaveRule, parse_rule
from migration.waves.schedule import needs_schedule
from migration.waves.window import Window, parse_window, window_of
from state.enums import Released, WaveState
from state.ledger.waves import NewWave
from state.rows import WaveRow

MOST_FAILED = 1_000_000  # no wave is larger


@dataclass(frozen=True, slots=True)
class Wishes:
    """What was typed; None: as the wave has it, or the default for a new one."""

    rule: str | None
    limit: int | None
    start: str | None
    end: str | None
    time_zone: str | None
    canary: int | None
    concurrency: int | None
    halt_count: int | None
    halt_share: float | None
    released: Released | None

    def window(self, kept: Window, now: datetime) -> Window:
        """Raises BadPlan for a window that makes no sense; one that nobody asks to change is left alone."""
        if self.start is None and self.end is None and self.time_zone is None:
            return kept
        return parse_window(self.start, self.end, self.time_zone, kept, now)

    def takes(self, there: WaveRow | None) -> int | None:
        """How many numbers at most: new settings for a wave that is there do not take every number in."""
        return 0 if there and self.rule is None and self.limit is None else self.limit

    @property
    def only_window(self) -> bool:
        typed = {field for field in self.__slots__ if getattr(self, field) is not None}
        return bool(typed) and typed <= {"start", "end", "time_zone"}


def plan(
    wave: Annotated[str, typer.Argument(help="The wave's name.")],
    rule: Annotated[
        str | None,
        typer.Option("--rule", help='Which numbers: "tag=north,volume<1000,customer!=Acme".'),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Take at most so many; low volume first.")] = None,
    start: Annotated[
        str | None, typer.Option("--from", help='No cutover before, as in "2026-12-01 22:00"; or: open.')
    ] = None,
    end: Annotated[str | None, typer.Option("--to", help="No cutover begins that cannot end before; or: open.")] = None,
    time_zone: Annotated[
        str | None, typer.Option("--tz", help="Of --from and --to, typed now or before, as in America/Sao_Paulo.")
    ] = None,
    canary: Annotated[int | None, typer.Option(min=0, help="How many numbers go first.")] = None,
    concurrency: Annotated[int | None, typer.Option(min=1, max=200, help="How many at once; default 10.")] = None,
    halt_count: Annotated[
        int | None, typer.Option(min=1, max=MOST_FAILED, help="Halt when so many numbers have failed.")
    ] = None,
    halt_share: Annotated[
        float | None, typer.Option(min=0.0, max=1.0, help="Halt when more than this share has failed, as in 0.1.")
    ] = None,
    released: Annotated[
        Released | None, typer.Option(help="What may cross without `release`; default: all, with a canary none.")
    ] = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Make a wave, or change one: all of it before it has begun, its window until it is over.

    Options that are not given stay as they are.
    """
    wishes = Wishes(rule, limit, start, end, time_zone, canary, concurrency, halt_count, halt_share, released)
    run_verb(_plan(_checked(wave), wishes, Confirmation(as_json, dry_run)))


def _checked(name: str) -> str:
    wrong = wave_name_problem(name)
    if wrong is not None:
        usage_error(f"a wave is not called {name!r}: {wrong}")
    return name


async def _plan(name: str, wishes: Wishes, asked: Confirmation) -> int:
    rule = parse_rule(wishes.rule) if wishes.rule is not None else WaveRule()
    async with open_for_change(dry_run=asked.only_looks) as app:
        there = next((row for row in await app.queries.waves.all() if row.name == name), None)
        now = await app.queries.now()
        window = wishes.window(window_of(there) if there else Window(), now)
        asked.now(wave_line(there) if there else f"there is no wave {name}", wave_document(there) if there else None)
        if there is None or there.state is WaveState.PLANNED:
            what = "make" if there is None else "settle"
            row = await _settle(app, asked, _settings(name, wishes, window, there), rule, wishes.takes(there), what)
        else:
            row = await _move(app, asked, there, window, wishes)
        asked.after(wave_line(row), wave_document(row))
        await _tell_ways_back(app, asked, row)
        moved = (there is not None and needs_schedule(there, now)) or needs_schedule(row, now)
        asked.next(_next(row), schedule=moved)
        return asked.end()


async def _settle(app: App, asked: Confirmation, new: NewWave, rule: WaveRule, limit: int | None, what: str) -> WaveRow:
    will = f"{what} wave {new.name}; nothing crosses before `cutover run` or its schedule"
    return await carry_out(asked, app, will, lambda app: plan_wave(app, new, rule, limit))


async def _move(app: App, asked: Confirmation, there: WaveRow, window: Window, wishes: Wishes) -> WaveRow:
    """A wave that has begun keeps its numbers and settings; at night it is another window that is needed."""
    if not wishes.only_window:
        only = (
            ""
            if there.state in ENDED_STATES
            else ": of a wave that has begun, only --from, --to and --tz can be changed"
        )
        raise OperationRefused(f"wave {there.name} is {there.state}{only}; nothing was changed")
    will = f"give wave {there.name} this window; what it is released for stays as it is"
    return await carry_out(asked, app, will, lambda app: change_window(app, there.name, window))


async def _tell_ways_back(app: App, asked: Confirmation, row: WaveRow) -> None:
    """A wave without a canary is let go by its plan: this is where it is approved."""
    going = released_numbers(row.released, await app.queries.positions.board(wave=row.name))
    if not going:
        return
    found = await recorded_rollback_options(app, going)
    asked.ways_back(found)
    crossing = f"released for {row.released}: {count_text(len(going))} may cross in it"
    asked.also(f"{crossing}; ways back: {summarize_rollbacks(found)}")


def _next(row: WaveRow) -> str:
    if row.state is WaveState.PLANNED:
        return f"cutover preflight {row.name}"
    verb = "run" if row.state is WaveState.RUNNING else "release"
    return f"cutover {verb} {row.name}"


def _settings(name: str, wishes: Wishes, window: Window, there: WaveRow | None) -> NewWave:
    typed = {field: getattr(wishes, field) for field in ("concurrency", "halt_count", "halt_share", "released")}
    settings: dict[str, Any] = {"canary_size": wishes.canary, **typed}
    if there is None and wishes.canary and wishes.released is None:
        settings["released"] = Released.NONE  # a canary is let go by a person, and so is what comes after it
    kept = {part: getattr(there, part) for part in NewWave.__slots__} if there is not None else {"name": name}
    kept |= {"window_start": window.start, "window_end": window.end, "time_zone": window.time_zone}
    return NewWave(**kept | {part: value for part, value in settings.items() if value is not None})
