"""`cutover plan`: put numbers into a wave, and say when and how it may cross."""

import re
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from migration.actions import plan_wave
from migration.bootstrap import App
from migration.cli.console import Json, run, usage
from migration.cli.doing import Asked, DryRun, acting, wave_line, wave_told
from migration.waves.plan import read_rule, read_window
from state.ledger.waves import NewWave
from state.queries import WaveRow
from state.sides import Released

LONGEST = 100  # what the table holds


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


def plan(
    wave: Annotated[str, typer.Argument(help="The wave's name.")],
    rule: Annotated[
        str | None,
        typer.Option("--rule", help='Which numbers: "tag=north,volume<1000,customer!=Acme".'),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Take at most so many; low volume first.")] = None,
    start: Annotated[str | None, typer.Option("--from", help='No cutover before, as in "2026-12-01 22:00".')] = None,
    end: Annotated[str | None, typer.Option("--to", help="No cutover begins that cannot end before.")] = None,
    time_zone: Annotated[str | None, typer.Option("--tz", help="Of --from and --to, as in America/Sao_Paulo.")] = None,
    canary: Annotated[int | None, typer.Option(min=0, help="How many numbers go first.")] = None,
    concurrency: Annotated[int | None, typer.Option(min=1, max=200, help="How many at once; default 10.")] = None,
    halt_count: Annotated[int | None, typer.Option(min=1, help="Halt when so many numbers have failed.")] = None,
    halt_share: Annotated[
        float | None, typer.Option(min=0.0, max=1.0, help="Halt when more than this share has failed, as in 0.1.")
    ] = None,
    released: Annotated[
        Released | None, typer.Option(help="What may cross without `release`; default: all, with a canary none.")
    ] = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Make a wave, or change one that has not begun. Options that are not given stay as they are."""
    wishes = Wishes(rule, limit, start, end, time_zone, canary, concurrency, halt_count, halt_share, released)
    run(_plan(_checked(wave), wishes, Asked(as_json, dry_run)))


def _checked(name: str) -> str:
    if not name.strip() or len(name) > LONGEST or re.fullmatch(r"N-\d+|\+?\d+", name.upper()):
        usage(f"a wave is not called {name!r}: give it a name that is no number's, of at most {LONGEST} characters")
    return name


async def _plan(name: str, wishes: Wishes, asked: Asked) -> int:
    rule = read_rule(wishes.rule or "")
    async with acting(dry_run=asked.only_looks) as app:
        there = next((row for row in await app.queries.waves() if row.name == name), None)
        new = await _settings(app, name, wishes, there)
        asked.now(wave_line(there) if there else f"there is no wave {name}", wave_told(there) if there else None)
        asked.will(f"{'settle' if there else 'make'} wave {name}; nothing crosses before `cutover run` or its schedule")
        # New settings for a wave that is there do not take every number in that is in none.
        limit = 0 if there and wishes.rule is None and wishes.limit is None else wishes.limit
        row = await plan_wave(app, new, rule, limit)
        asked.after(wave_line(row), wave_told(row))
        asked.next(f"cutover preflight {name}")
        return asked.end()


async def _settings(app: App, name: str, wishes: Wishes, there: WaveRow | None) -> NewWave:
    """Raises BadPlan for a window that makes no sense."""
    typed = {field: getattr(wishes, field) for field in ("concurrency", "halt_count", "halt_share", "released")}
    settings: dict[str, Any] = {"canary_size": wishes.canary, **typed}
    if wishes.start is not None or wishes.end is not None or wishes.time_zone is not None:
        zone = wishes.time_zone or (there.time_zone if there else "UTC")
        window = read_window(wishes.start, wishes.end, zone, await app.queries.now())
        settings |= {"window_start": window.start, "window_end": window.end, "time_zone": window.time_zone}
    if there is None and wishes.canary and wishes.released is None:
        settings["released"] = Released.NONE  # a canary is let go by a person, and so is what comes after it
    kept = {part: getattr(there, part) for part in NewWave.__slots__} if there is not None else {"name": name}
    return NewWave(**kept | {part: value for part, value in settings.items() if value is not None})
