"""What all verbs that change something share: they say what is true now, what they will do, and what is true after.

A dry run is the same code in a transaction that is never committed, with far sides that take no writes.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, TypeVar

import typer

from migration.app import App
from migration.cli.console import ExitCode, open_cli_app, print_json, print_line, usage_error
from migration.cli.status import number_document
from migration.operations.targets import find_target
from migration.operations.wave_wording import wave_line
from migration.operations.wording import next_command, status_line
from migration.steps.rollback_options import RollbackOption, summarize_rollbacks
from migration.vault.sealing import BackupShelf
from migration.vault.store import SecretStore
from migration.waves.schedule import needs_schedule
from state.dry_run import trial
from state.ledger.ledger import Ledger
from state.naming import spellings
from state.queries.queries import Queries
from state.rows import Position, WaveRow
from state.secrets import Secrets

T = TypeVar("T")
Action = Callable[[App], Awaitable[T]]


def _said(value: str) -> str:
    """The history is read by whoever comes next; an empty reason would tell them nothing."""
    if not value.strip():
        raise typer.BadParameter("it is empty")
    return value


DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what it would do; nothing is written anywhere.")]
Because = Annotated[
    str, typer.Option("--because", callback=_said, help="Why: it goes into the history, with your name.")
]
Confirm = Annotated[
    str | None,
    typer.Option("--confirm", help="The number (or wave) once more: this cannot be taken back. Without it, a dry run."),
]
NumberArgument = Annotated[str, typer.Argument(help="Reference (N-0001), E.164 or phone number id.")]


@asynccontextmanager
async def open_for_change(*, dry_run: bool) -> AsyncIterator[App]:
    """The object graph; in a dry run, one whose every change is taken back at the end."""
    async with open_cli_app(dry_run=dry_run) as app:
        if not dry_run:
            yield app
            return
        async with rehearse(app) as tried:
            yield tried


@asynccontextmanager
async def rehearse(app: App) -> AsyncIterator[App]:
    """The same object graph on a transaction that is never committed."""
    async with trial(app.database) as database:
        clock, secrets = app.sql_clock, Secrets(database, app.sql_clock)
        yield replace(
            app,
            ledger=Ledger(database, clock),
            queries=Queries(database, clock),
            secrets=secrets,
            secret_store=SecretStore(app.vault, secrets, BackupShelf(app.settings.shelf)),
        )


@dataclass
class Confirmation:
    """How a verb was called, and what it has said so far."""

    as_json: bool
    dry_run: bool = False
    needs_confirm: bool = False
    confirm: str | None = None
    subject: str = ""  # what has to be typed once more
    told: dict[str, Any] = field(default_factory=dict)

    @property
    def only_looks(self) -> bool:
        return self.dry_run or (self.needs_confirm and self.confirm is None)

    def confirmed_for(self, *names: str) -> None:
        """What was typed again has to be what is acted on."""
        self.subject = names[0]
        if self.confirm is not None and not {*spellings(self.confirm)} & {name.upper() for name in names}:
            usage_error(f"--confirm {self.confirm} is not {names[0]}; nothing was changed")

    def now(self, text: str, document: Any) -> None:
        self._said("now", text, document)

    def will(self, text: str) -> None:
        self._said("will" if not self.only_looks else "would", text, text)

    def after(self, text: str, document: Any) -> None:
        self._said("after" if not self.only_looks else "then", text, document)

    def next(self, command: str, *, schedule: bool = False) -> None:
        """`schedule`: only `cutover deploy` makes, moves and removes what Prefect has for the wave."""
        if schedule:
            self.told["schedule"] = "cutover deploy"
        self._said("next", command + ("; for its schedule in Prefect: cutover deploy" if schedule else ""), command)

    def also(self, text: str) -> None:
        """More of what is true after, for a person."""
        if not self.as_json:
            print_line(f"{'then' if self.only_looks else 'after':<6} {text}")

    def ways_back(self, found: Sequence[RollbackOption]) -> None:
        """For whoever lets these numbers cross: which of them could come back, and why not."""
        self.told["ways_back"] = summarize_rollbacks(found)

    def _said(self, name: str, text: str, document: Any) -> None:
        self.told[name] = document
        if not self.as_json:
            for one in text.splitlines():
                print_line(f"{name:<6} {one}")

    def end(self, code: ExitCode = ExitCode.DONE) -> int:
        """The last word: JSON, or that nothing was changed; a question that was not answered is a usage error."""
        if self.as_json:
            print_json(self.told | {"dry_run": self.only_looks})
        elif self.only_looks:
            print_line("Nothing was changed.")
        if self.only_looks and not self.dry_run:
            usage_error(f"this cannot be taken back: type it again with --confirm {self.subject}")
        return code


async def carry_out(
    asked: Confirmation, app: App, will: str, act: Action[T], rehearsal: Action[object] | None = None
) -> T:
    """Act, and say before it what it does; what is refused is refused in a rehearsal, before anything is promised.

    `rehearsal`: for an act that does not end at the database, the part of it that does.
    """
    if asked.only_looks:
        done = await act(app)
        asked.will(will)
        return done
    async with rehearse(app) as tried:
        await (rehearsal or act)(tried)
    asked.will(will)
    return await act(app)


async def change_number(
    asked: Confirmation,
    named: str,
    will: str | Callable[[Position], str],
    act: Action[object],
    rehearsal: Action[object] | None = None,
) -> int:
    """Now, will, act, after, for one number."""
    async with open_for_change(dry_run=asked.only_looks) as app:
        at = await app.queries.positions.find(named)
        asked.confirmed_for(at.ref, at.e164, at.phone_number_id)
        await show_number(asked, app, at, asked.now)
        await carry_out(asked, app, will if isinstance(will, str) else will(at), act, rehearsal)
        at = await app.queries.positions.find(named)
        await show_number(asked, app, at, asked.after)
        asked.next(next_command(at, await app.queries.now()))
        return asked.end()


async def show_number(asked: Confirmation, app: App, at: Position, say_it: Callable[[str, Any], None]) -> None:
    now = await app.queries.now()
    hold = "; on hold" if at.hold else ""
    say_it(status_line(at, now) + hold, number_document(at, now, False))


def wave_document(row: WaveRow) -> dict[str, Any]:
    """A wave as JSON."""
    return {name: getattr(row, name) for name in WaveRow.__slots__}


async def change_wave(
    asked: Confirmation, name: str, will: str | Action[str], act: Action[WaveRow], follow: str | None = None
) -> int:
    """Now, will, act, after, for a wave."""
    async with open_for_change(dry_run=asked.only_looks) as app:
        row = await app.queries.waves.get(name)
        asked.confirmed_for(row.name)
        asked.now(wave_line(row), wave_document(row))
        said = will if isinstance(will, str) else await will(app)
        after = await carry_out(asked, app, said, act)
        asked.after(wave_line(after), wave_document(after))
        now = await app.queries.now()
        asked.next(follow or f"cutover status {name}", schedule=needs_schedule(row, now) or needs_schedule(after, now))
        return asked.end()


async def is_wave(name: str) -> bool:
    """Whether a wave is called so; a number otherwise. Raises NotFound when it is neither."""
    if not name.strip():
        usage_error("which number or wave? `cutover status` lists both")
    async with open_cli_app(dry_run=True) as app:
        return isinstance(await find_target(app, name), WaveRow)
