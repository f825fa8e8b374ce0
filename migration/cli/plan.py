"""`cutover plan`: put numbers into a wave, and set its window, canary, concurrency and halt rule."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import typer

from migration.app import App
from migration.cli.confirming import ChangeReport, carry_out, forecast_command, show_wave
from migration.cli.options import DryRun, Json
from migration.cli.output import count_text
from migration.cli.rehearsal import open_for_change
from migration.cli.running import run_verb, usage_error
from migration.cli.session import operator_name
from migration.errors import OperationRefused
from migration.operations.approval import recorded_rollback_options, released_numbers
from migration.operations.wave_wording import ENDED_STATES, released_text
from migration.operations.waves import change_window, plan_wave
from migration.steps.rollback_options import summarize_rollbacks
from migration.waves.names import wave_name_problem
from migration.waves.next_command import release_of
from migration.waves.plan import WaveRule, parse_rule
from migration.waves.schedule import needs_schedule
from migration.waves.window import Window, parse_window, window_of
from state.enums import Codes, Released, SmokeMode, WaveState
from state.ledger.waves import NewWave
from state.naming import holds_name
from state.rows import WaveRow

MAX_HOURS = 720  # a month
MAX_HALT_COUNT = 1_000_000  # no wave is larger


class CodesOption(StrEnum):
    """As it is typed."""

    WHEN_READY = "when-ready"
    AT_ONCE = "at-once"


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """What was typed. None keeps the wave's value; a new wave gets the default."""

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
    codes: Codes | None
    smoke: SmokeMode | None = None
    smoke_canary: SmokeMode | None = None
    smoke_hours: int | None = None

    def window(self, kept: Window, now: datetime) -> Window:
        """The wave's new window. Raises BadPlan; a window that does not change is not checked again."""
        if self.start is None and self.end is None and self.time_zone is None:
            return kept
        return parse_window(self.start, self.end, self.time_zone, kept, now)

    def max_added(self, existing: WaveRow | None) -> int | None:
        """How many numbers to add at most, or None. Only changing settings of a wave adds no numbers."""
        return 0 if existing and self.rule is None and self.limit is None else self.limit

    def new_canary(self, existing: WaveRow | None) -> bool:
        """Whether a canary is asked for that the wave does not have."""
        return bool(self.canary) and (existing is None or self.canary != existing.canary_size)

    @property
    def only_window(self) -> bool:
        given = {field for field in self.__slots__ if getattr(self, field) is not None}
        return bool(given) and given <= {"start", "end", "time_zone"}


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
        int | None, typer.Option(min=1, max=MAX_HALT_COUNT, help="Halt when so many numbers have failed.")
    ] = None,
    halt_share: Annotated[
        float | None, typer.Option(min=0.0, max=1.0, help="Halt when more than this share has failed, as in 0.1.")
    ] = None,
    released: Annotated[
        Released | None, typer.Option(help="What may cross without `release`; default: all, with a canary none.")
    ] = None,
    codes: Annotated[
        CodesOption | None,
        typer.Option(help="Ask for a code once somebody is at the number's phone, or at once; default: when-ready."),
    ] = None,
    smoke: Annotated[
        SmokeMode | None, typer.Option(help="How its numbers are proved to work; default: outbound.")
    ] = None,
    smoke_canary: Annotated[
        SmokeMode | None, typer.Option(help="The same for its canary; default: as the others.")
    ] = None,
    smoke_hours: Annotated[
        int | None,
        typer.Option(
            min=1, max=MAX_HOURS, help="Alarm where a number receives nothing for so many hours; passive: 24."
        ),
    ] = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Make a wave, or change one: all of it before it has begun, its window until it is over.

    Options that are not given stay as they are.
    """
    problem = wave_name_problem(wave)
    if problem is not None:
        usage_error(f"a wave is not called {wave!r}: {problem}")
    chosen = Codes(codes.value.replace("-", "_")) if codes is not None else None
    options = PlanOptions(
        rule,
        limit,
        start,
        end,
        time_zone,
        canary,
        concurrency,
        halt_count,
        halt_share,
        released,
        chosen,
        smoke,
        smoke_canary,
        smoke_hours,
    )
    run_verb(_plan(wave, options, ChangeReport(as_json, dry_run)))


async def _plan(name: str, options: PlanOptions, report: ChangeReport) -> int:
    rule = parse_rule(options.rule) if options.rule is not None else WaveRule()
    async with open_for_change(dry_run=report.changes_nothing) as app:
        existing = next((row for row in await app.queries.waves.all() if row.name == name), None)
        now = await app.queries.now()
        window = options.window(window_of(existing) if existing else Window(), now)
        if existing is None:
            report.now(f"there is no wave {name}", None)
        else:
            show_wave(existing, report.now)
        if existing is None or existing.state is WaveState.PLANNED:
            row = await _plan_numbers(app, report, options, rule, _new_wave(name, options, window, existing), existing)
        else:
            row = await _change_window(app, report, existing, window, options)
        show_wave(row, report.after)
        await _report_rollbacks(app, report, row)
        if existing is None and await _names_a_customer(app, name):
            report.note("its name holds the name of a customer, which `cutover forget` cannot take out of it")
        has_schedule = (existing is not None and needs_schedule(existing, now)) or needs_schedule(row, now)
        report.next(forecast_command(report, _next_command(row)), schedule=has_schedule)
        return report.finish()


async def _names_a_customer(app: App, wave: str) -> bool:
    return any(holds_name(wave, row.name) for row in await app.queries.people.customers())


async def _plan_numbers(
    app: App,
    report: ChangeReport,
    options: PlanOptions,
    rule: WaveRule,
    wave: NewWave,
    existing: WaveRow | None,
) -> WaveRow:
    verb = "make" if existing is None else "settle"
    will = f"{verb} wave {wave.name}; nothing crosses before `cutover run` or its schedule"
    limit, keep = options.max_added(existing), options.released is None and not options.new_canary(existing)
    return await carry_out(
        report, app, will, lambda app: plan_wave(app, wave, rule, limit, operator_name(), keep_names=keep)
    )


async def _change_window(app: App, report: ChangeReport, row: WaveRow, window: Window, options: PlanOptions) -> WaveRow:
    """A wave that has begun keeps its numbers and settings; only its window can change."""
    if not options.only_window:
        allowed = "of a wave that has begun, only --from, --to and --tz can be changed"
        advice = "" if row.state in ENDED_STATES else f": {allowed}"
        raise OperationRefused(f"wave {row.name} is {row.state}{advice}; nothing was changed")
    will = f"give wave {row.name} this window; what it is released for stays as it is"
    return await carry_out(report, app, will, lambda app: change_window(app, row.name, window, operator_name()))


async def _report_rollbacks(app: App, report: ChangeReport, row: WaveRow) -> None:
    """A wave without a canary is released by its plan, so whoever plans it also approves it."""
    board = await app.queries.positions.board(wave=row.name)
    crossing = released_numbers(row, board)
    if not crossing and not row.on_hold:
        return
    options = await recorded_rollback_options(app.queries, crossing)
    report.rollbacks(options)
    released = f"{released_text(row)}: {count_text(len(crossing))} may cross in it"
    report.note(f"{released}; ways back: {summarize_rollbacks(options)}")


def _next_command(row: WaveRow) -> str:
    if row.state is WaveState.PLANNED:
        return f"cutover preflight {row.name}"
    return f"cutover run {row.name}" if row.state is WaveState.RUNNING else release_of(row)


def _new_wave(name: str, options: PlanOptions, window: Window, existing: WaveRow | None) -> NewWave:
    """The settings that the wave will have: those that were typed, over those that it has."""
    typed = {
        field: getattr(options, field)
        for field in (
            *("concurrency", "halt_count", "halt_share", "released", "codes"),
            *("smoke", "smoke_canary", "smoke_hours"),
        )
    }
    settings: dict[str, Any] = {"canary_size": options.canary, **typed}
    if options.new_canary(existing) and options.released is None:
        settings["released"] = Released.NONE  # a person releases the canary, and later the rest
    kept = {field: getattr(existing, field) for field in NewWave.__slots__} if existing else {"name": name}
    kept |= {"window_start": window.start, "window_end": window.end, "time_zone": window.time_zone}
    return NewWave(**kept | {field: value for field, value in settings.items() if value is not None})
