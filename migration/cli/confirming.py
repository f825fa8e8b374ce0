"""What verbs that change something have in common: what is true before, what they do, what is true after."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from migration.app import App
from migration.cli.exit_codes import ExitCode
from migration.cli.number_document import number_document
from migration.cli.output import print_json, print_line
from migration.cli.paused_senders import paused_document, paused_lines
from migration.cli.rehearsal import open_for_change, rehearse
from migration.cli.running import usage_error
from migration.operations.open_calls import settle_open_call
from migration.operations.wave_wording import wave_line
from migration.operations.wording import status_line
from migration.steps.rollback_options import RollbackOption, summarize_rollbacks
from migration.waves.next_command import next_command
from migration.waves.schedule import needs_schedule
from migration.waves.senders import keep_senders_informed
from state.naming import possible_names
from state.rows import Position, WaveRow

T = TypeVar("T")
DRY_RUN_NEXT = "the same command without --dry-run"
Action = Callable[[App], Awaitable[T]]
Show = Callable[[str, Any], None]  # a sentence for a person, the same as JSON


@dataclass
class ChangeReport:
    """How a verb was called, and the report of its change: lines for a person, or one JSON document at the end."""

    as_json: bool
    dry_run: bool = False
    needs_confirm: bool = False
    confirm: str | None = None
    subject: str = ""  # what has to be typed after --confirm
    document: dict[str, Any] = field(default_factory=dict)

    @property
    def changes_nothing(self) -> bool:
        """Without --confirm, a verb that needs it is a dry run."""
        return self.dry_run or (self.needs_confirm and self.confirm is None)

    def check_confirmation(self, *names: str) -> None:
        """What was typed after --confirm must be one of the names of what is changed."""
        self.subject = names[0]
        if self.confirm is not None and not {*possible_names(self.confirm)} & {name.upper() for name in names}:
            usage_error(f"--confirm {self.confirm} is not {names[0]}; nothing was changed")

    def now(self, text: str, document: Any) -> None:
        self._add("now", text, document)

    def will(self, text: str) -> None:
        self._add("would" if self.changes_nothing else "will", text, text)

    def after(self, text: str, document: Any) -> None:
        self._add("then" if self.changes_nothing else "after", text, document)

    def next(self, command: str, *, schedule: bool = False) -> None:
        """After a dry run it is the same command without it, whatever `command` says: that would come after the change.

        `schedule`: the wave has a schedule in Prefect, which only `cutover deploy` changes.
        """
        command = forecast_command(self, command)
        if schedule:
            self.document["schedule"] = "cutover deploy"
        self._add("next", command + ("; for its schedule in Prefect: cutover deploy" if schedule else ""), command)

    def note(self, text: str) -> None:
        """One more line about what is true after, for a person only."""
        if not self.as_json:
            print_line(f"{'then' if self.changes_nothing else 'after':<6} {text}")

    def rollbacks(self, options: Sequence[RollbackOption]) -> None:
        """For whoever lets these numbers cross: how many of them could go back, and why not."""
        self.document["ways_back"] = summarize_rollbacks(options)

    def _add(self, name: str, text: str, document: Any) -> None:
        self.document[name] = document
        if not self.as_json:
            for line in text.splitlines():
                print_line(f"{name:<6} {line}")

    def finish(self, exit_code: ExitCode = ExitCode.DONE) -> int:
        """Print the JSON document, or that nothing was changed. Without a --confirm that is needed: a usage error."""
        if self.as_json:
            print_json(self.document | {"dry_run": self.changes_nothing})
        elif self.changes_nothing:
            print_line("Nothing was changed.")
        if self.changes_nothing and not self.dry_run:
            usage_error(f"this cannot be taken back: type it again with --confirm {self.subject}")
        return exit_code


async def carry_out(
    report: ChangeReport,
    app: App,
    will: str | Callable[[], str],
    action: Action[T],
    rehearsal: Action[object] | None = None,
) -> T:
    """Report what the action does, then do it. A rehearsal comes first, so that a refusal comes before the report.

    `rehearsal` replaces the action there if the action does more than change our database. `will` is asked for after
    the rehearsal, which may have found out more.
    """
    if report.changes_nothing:
        result = await action(app)
        report.will(will if isinstance(will, str) else will())
        return result
    async with rehearse(app) as rehearsal_app:
        await (rehearsal or action)(rehearsal_app)
    report.will(will if isinstance(will, str) else will())
    return await action(app)


async def change_number(
    report: ChangeReport,
    number: str,
    will: str | Callable[[Position], str],
    action: Action[object],
    rehearsal: Action[object] | None = None,
    *,
    settles: bool = False,
) -> int:
    """Change one number, and report before and after.

    `settles`: what a call that a worker left behind without an answer did is waited for first; it is not made again.
    """
    async with open_for_change(dry_run=report.changes_nothing) as app:
        position = await app.queries.positions.find(number)
        report.check_confirmation(position.ref, position.e164, position.phone_number_id)
        await show_number(app, position, report.now)
        if settles and position.ended_at is None and not report.changes_nothing:
            await settle_open_call(app, position, lambda text: print_line(text, as_json=report.as_json))
        await carry_out(report, app, will if isinstance(will, str) else lambda: will(position), action, rehearsal)
        position = await app.queries.positions.find(number)
        if not report.changes_nothing:
            await keep_senders_informed(app, position.number_id)
            position = await app.queries.positions.find(number)
        forecast = forecast_command(report, next_command(position, await app.queries.now()))
        await show_number(app, position, report.after, next_command=forecast)
        report.next(forecast)
        return report.finish(await _still_paused(app, report, position))


def forecast_command(report: ChangeReport, after: str) -> str:
    """What to type next. After a dry run: not what would come after the change, which would do something else now."""
    if not report.changes_nothing:
        return after
    return f"the same command with --confirm {report.subject}" if report.needs_confirm else DRY_RUN_NEXT


async def _still_paused(app: App, report: ChangeReport, position: Position) -> ExitCode:
    """Senders of the number that have to go on and have not confirmed it are named."""
    paused = [row for row in await app.queries.positions.paused() if row.number_id == position.number_id]
    if paused:
        report.document["paused_senders"] = paused_document(paused)
    lines = paused_lines(paused, await app.queries.now())
    for line in lines:
        report.note(line)
    return ExitCode.NOT_ALL_MOVED if lines and not report.changes_nothing else ExitCode.DONE


async def show_number(app: App, position: Position, show: Show, **instead: str) -> None:
    """`instead`: what the document has in place of what is true of the number now: a forecast, in a dry run."""
    now = await app.queries.now()
    hold = "; on hold" if position.hold else ""
    show(status_line(position, now) + hold, number_document(position, now, False) | instead)


async def change_wave(
    report: ChangeReport,
    name: str,
    will: str | Action[str],
    action: Action[WaveRow],
    follow_up: Callable[[WaveRow], str] | None = None,
) -> int:
    """Change one wave, and report before and after. `follow_up`: the command that comes next for the wave."""
    async with open_for_change(dry_run=report.changes_nothing) as app:
        before = await app.queries.waves.get(name)
        report.check_confirmation(before.name)
        show_wave(before, report.now)
        after = await carry_out(report, app, will if isinstance(will, str) else await will(app), action)
        show_wave(after, report.after)
        now = await app.queries.now()
        has_schedule = needs_schedule(before, now) or needs_schedule(after, now)
        report.next(
            forecast_command(report, follow_up(after) if follow_up else f"cutover status {name}"), schedule=has_schedule
        )
        return report.finish()


def show_wave(row: WaveRow, show: Show) -> None:
    show(wave_line(row), {name: getattr(row, name) for name in WaveRow.__slots__})
