"""What all verbs that change something share: they say what is true now, what they will do, and what is true after.

A dry run is the same code in a transaction that is never committed, with far sides that take no writes.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, TypeVar

import typer

from migration.app import App
from migration.cli.console import Exit, app_of, give, many, say, usage
from migration.cli.status import described
from migration.operations.wording import line, next_command
from migration.steps.rollback_options import RollbackOption, summarize_rollbacks
from migration.vault.sealing import BackupShelf
from migration.vault.store import SecretStore
from migration.waves.schedule import scheduled
from state.dry_run import trial
from state.errors import NotFound
from state.ledger import Ledger
from state.naming import spellings
from state.queries import Queries, WaveRow
from state.rows import Position
from state.secrets import Secrets

T = TypeVar("T")
Act = Callable[[App], Awaitable[T]]


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
async def acting(*, dry_run: bool) -> AsyncIterator[App]:
    """The object graph; in a dry run, one whose every change is taken back at the end."""
    async with app_of(dry_run=dry_run) as app:
        if not dry_run:
            yield app
            return
        async with rehearsing(app) as tried:
            yield tried


@asynccontextmanager
async def rehearsing(app: App) -> AsyncIterator[App]:
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
class Asked:
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
            usage(f"--confirm {self.confirm} is not {names[0]}; nothing was changed")

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
            say(f"{'then' if self.only_looks else 'after':<6} {text}")

    def ways_back(self, found: Sequence[RollbackOption]) -> None:
        """For whoever lets these numbers cross: which of them could come back, and why not."""
        self.told["ways_back"] = summarize_rollbacks(found)

    def _said(self, name: str, text: str, document: Any) -> None:
        self.told[name] = document
        if not self.as_json:
            for one in text.splitlines():
                say(f"{name:<6} {one}")

    def end(self, code: Exit = Exit.DONE) -> int:
        """The last word: JSON, or that nothing was changed; a question that was not answered is a usage error."""
        if self.as_json:
            give(self.told | {"dry_run": self.only_looks})
        elif self.only_looks:
            say("Nothing was changed.")
        if self.only_looks and not self.dry_run:
            usage(f"this cannot be taken back: type it again with --confirm {self.subject}")
        return code


async def carried_out(asked: Asked, app: App, will: str, act: Act[T], rehearsal: Act[object] | None = None) -> T:
    """Act, and say before it what it does; what is refused is refused in a rehearsal, before anything is promised.

    `rehearsal`: for an act that does not end at the database, the part of it that does.
    """
    if asked.only_looks:
        done = await act(app)
        asked.will(will)
        return done
    async with rehearsing(app) as tried:
        await (rehearsal or act)(tried)
    asked.will(will)
    return await act(app)


async def on_number(
    asked: Asked,
    named: str,
    will: str | Callable[[Position], str],
    act: Act[object],
    rehearsal: Act[object] | None = None,
) -> int:
    """Now, will, act, after, for one number."""
    async with acting(dry_run=asked.only_looks) as app:
        at = await app.queries.find(named)
        asked.confirmed_for(at.ref, at.e164, at.phone_number_id)
        await tell_number(asked, app, at, asked.now)
        await carried_out(asked, app, will if isinstance(will, str) else will(at), act, rehearsal)
        at = await app.queries.find(named)
        await tell_number(asked, app, at, asked.after)
        asked.next(next_command(at, await app.queries.now()))
        return asked.end()


async def tell_number(asked: Asked, app: App, at: Position, say_it: Callable[[str, Any], None]) -> None:
    now = await app.queries.now()
    hold = "; on hold" if at.hold else ""
    say_it(line(at, now) + hold, described(at, now, False))


def wave_line(row: WaveRow) -> str:
    """One sentence: what is true of the wave."""
    because = f": {row.because}" if row.because else ""
    canary = f", a canary of {row.canary_size}" if row.canary_size else ""
    window = ""
    if row.window_start is not None or row.window_end is not None:
        ends = [f"{at:%Y-%m-%d %H:%M}" if at is not None else "open" for at in (row.window_start, row.window_end)]
        window = f", window {ends[0]} to {ends[1]} UTC ({row.time_zone})"
    numbers = many(row.numbers) + canary
    return f"wave {row.name} is {row.state}{because}; {numbers}, released for {row.released}{window}"


def wave_told(row: WaveRow) -> dict[str, Any]:
    """A wave as JSON."""
    return {name: getattr(row, name) for name in WaveRow.__slots__}


async def on_wave(asked: Asked, name: str, will: str | Act[str], act: Act[WaveRow], follow: str | None = None) -> int:
    """Now, will, act, after, for a wave."""
    async with acting(dry_run=asked.only_looks) as app:
        row = await app.queries.wave(name)
        asked.confirmed_for(row.name)
        asked.now(wave_line(row), wave_told(row))
        said = will if isinstance(will, str) else await will(app)
        after = await carried_out(asked, app, said, act)
        asked.after(wave_line(after), wave_told(after))
        now = await app.queries.now()
        asked.next(follow or f"cutover status {name}", schedule=scheduled(row, now) or scheduled(after, now))
        return asked.end()


async def is_wave(name: str) -> bool:
    """Whether a wave is called so; a number otherwise. Raises NotFound when it is neither."""
    if not name.strip():
        usage("which number or wave? `cutover status` lists both")
    async with app_of(dry_run=True) as app:
        if name in {row.name for row in await app.queries.waves()}:
            return True
        try:
            await app.queries.find(name)
        except NotFound as exc:
            if "no such number" in str(exc):
                raise NotFound(f"there is no wave and no number {name}; `cutover status` lists both") from exc
            raise
        return False
