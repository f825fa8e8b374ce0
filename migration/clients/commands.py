"""Commands that stop or start instances: named in the admin file, arguments validated, no shell."""

import asyncio
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import IO

from pydantic import BaseModel, ConfigDict, Field, field_validator

from migration.clock import SystemClock
from migration.errors import Rejected, Transient, WriteRefused
from migration.runtime import command_guard
from migration.scrubbing.texts import SafeText, Scrubber, as_safe
from state.enums import Party

ENVIRONMENT = ("PATH", "HOME", "LANG")
# Our own settings are no command's business: the master key is one of them.
VARIABLE = re.compile(r"(?!CUTOVER_)[A-Za-z_][A-Za-z0-9_]*")
LONGEST_S = 50.0  # of one command; within the longest call of the steps that run one
CANCELLED_S = 5.0  # for which the end of a cancelled command is awaited
UMASK = 0o022  # ours lets nobody read what a command of ours writes; what a stop command writes is for its users
MAX_STDERR_BYTES = 100_000  # read of what a failed command wrote to its standard error
_SECRET = r"[\w-]*(?:passw(?:or)?d|passphrase|passcode|pwd|secret|token|pin|key|auth|credentials?)"
_SECRET_ARGUMENT = re.compile(rf"{_SECRET}=(.+)", re.IGNORECASE | re.DOTALL)
_SECRET_OPTION = re.compile(rf"-+(?:{_SECRET}|p)", re.IGNORECASE)
_PASSWORD_AT_ONCE = re.compile(r"-p(?=\S*[^a-z])(\S{6,})")  # as MySQL's programs take it
_USER_AND_PASSWORD = re.compile(r"[^\s:/@]{1,64}:(?!//)(\S{4,})")  # as curl takes it after `-u`
_USER_OPTION = re.compile(r"-+(?:u|user|userpwd|login)", re.IGNORECASE)
_HEADER = re.compile(r"(?:[\w-]*(?:auth|token|key|secret|cookie)[\w-]*):\s*(?:(?:Bearer|Basic)\s+)?(.+)", re.IGNORECASE)
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://[^@]*", re.IGNORECASE)
_FORMS = (_SECRET_ARGUMENT, _PASSWORD_AT_ONCE, _HEADER)
SHORTEST = 4  # characters of a variable that is taken for a secret; `1` and `yes` are none
_NO_SECRET = re.compile(r"PATH|HOME|LANG|LC_\w+|TZ|TERM|SHELL|USER|LOGNAME")
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


class NamedCommand(BaseModel):
    """`argv` with `{name}` placeholders; `arguments` gives the pattern that the whole value of each must match."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    argv: tuple[str, ...] = Field(min_length=1)
    arguments: Mapping[str, str] = {}
    timeout_s: float = Field(30.0, gt=0, le=LONGEST_S)
    env: tuple[str, ...] = ()  # of our environment, beside ENVIRONMENT

    @field_validator("arguments")
    @classmethod
    def _check_patterns(cls, patterns: Mapping[str, str]) -> Mapping[str, str]:
        for name, pattern in patterns.items():
            try:
                re.compile(pattern)
            except re.error as exc:
                raise ValueError(f"the pattern of {name} is not a regular expression: {exc}") from exc
        return patterns

    @field_validator("env")
    @classmethod
    def _check_variables(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [name for name in names if VARIABLE.fullmatch(name) is None]
        if wrong:
            name = wrong[0].partition("=")[0]  # what stands behind it may be its value, a password
            raise ValueError(f"{name} is no name of a variable that a command may get; give its name alone")
        return names

    @property
    def placeholders(self) -> tuple[str, ...]:
        """Names of the arguments in `argv`, each once, in their order."""
        return tuple(dict.fromkeys(name for part in self.argv for name in _PLACEHOLDER.findall(part)))

    def command_line(self, values: Mapping[str, str]) -> list[str]:
        """`argv` with the values in place. Raises Rejected for a value that is missing or not of its pattern."""
        for name in self.placeholders:
            pattern = self.arguments.get(name)
            if pattern is None or name not in values:
                details = as_safe(f"the argument {name} is not given or has no pattern")
                raise Rejected("a named command", None, details)
            problem = argument_problem(pattern, values[name])
            if problem is not None:
                raise Rejected("a named command", None, as_safe(f"the argument {name} {problem}"))
        return [_PLACEHOLDER.sub(lambda match: values[match.group(1)], part) for part in self.argv]

    def environment(self, ours: Mapping[str, str]) -> dict[str, str]:
        """What the command gets of `ours`. Our own has the master key, tokens and the password of the database."""
        return {name: ours[name] for name in (*ENVIRONMENT, *self.env) if name in ours}


def argument_problem(pattern: str, value: str) -> str | None:
    """What is wrong with the value of an argument, as the end of a sentence; None where nothing is.

    Most programs take what begins with a dash for an option, so a value may only where its pattern begins with one.
    """
    if value.startswith("-") and not pattern.startswith(("-", "\\-")):
        return "begins with a dash, and its pattern does not"
    return None if re.fullmatch(pattern, value) else f"does not match {pattern}"


@dataclass(frozen=True, slots=True)
class CommandResult:
    """`exit_code`: of a command that ended by itself and failed."""

    ok: bool
    detail: SafeText
    exit_code: int | None = field(default=None, compare=False)


class NamedCommands:
    """Runs the commands of the admin file. `dry_run` refuses each with WriteRefused."""

    def __init__(
        self,
        commands: Mapping[str, NamedCommand],
        *,
        dry_run: bool = False,
        boot_time: Callable[[], float] | None = None,
    ) -> None:
        self._commands = commands
        self._dry_run = dry_run
        self._boot_time = boot_time or SystemClock().boot_time
        self._is_real = boot_time is None  # otherwise another process cannot read that clock

    def limit_s(self, name: str) -> float:
        """For how many seconds a command may run; the longest that any may where the admin file does not name it."""
        command = self._commands.get(name)
        return command.timeout_s if command is not None else LONGEST_S

    async def run(
        self, name: str, arguments: Mapping[str, str], *, send_by: float, at_most_s: float = LONGEST_S
    ) -> CommandResult:
        """Run a command to its end. One that exceeds its `timeout_s`, or `at_most_s`, is killed with its children, and
        has failed. It is killed as well when this is cancelled, which then awaits its end, and when this process ends
        before it.

        Raises Rejected for a name that the admin file does not have, Transient once `send_by` (boot-time clock,
        seconds) has passed: a worker that was stopped for long could stop a client that serves again.
        """
        command = self._commands.get(name)
        if command is None:
            raise Rejected(f"command {name}", None, as_safe(f"the admin file names no command {name}"))
        argv = command.command_line(arguments)
        if self._dry_run:
            raise WriteRefused(f"a dry run stops before the command {name}")
        self.check_deadline(name, send_by)
        # The guard looks at the clock again: this process may be stopped between the line above and its start.
        seconds = min(command.timeout_s, at_most_s)
        limits = (repr(send_by if self._is_real else float("inf")), repr(seconds))
        guard = (sys.executable, "-I", "-S", str(command_guard.__file__), *limits)
        environment = command.environment(os.environ)
        # A file, not a pipe: what a command leaves running may keep a pipe open for ever.
        with _not_run(name), ExitStack() as opened:
            stderr = opened.enter_context(tempfile.TemporaryFile())
            process = await asyncio.create_subprocess_exec(
                *guard,
                *argv,
                stdin=asyncio.subprocess.PIPE,  # its end is the guard's sign that this process is gone
                stdout=asyncio.subprocess.DEVNULL,
                stderr=stderr,
                start_new_session=True,
                env=environment,
                umask=UMASK,
            )
            files = opened.pop_all()
        with files:
            try:
                exit_code = await process.wait()
            except asyncio.CancelledError:
                await _end(process)
                raise
            finally:
                _close_stdin(process)
            if exit_code == command_guard.LATE and _lines(stderr)[-1:] == [command_guard.LATE_LINE]:
                raise Transient(f"command {name}: not run, for its time had passed")
            return _result(exit_code, seconds, stderr, Scrubber(_secrets_of(argv, environment)))

    def check_deadline(self, name: str, send_by: float) -> None:
        """Raises Transient once `send_by` has passed."""
        if self._boot_time() >= send_by:
            raise Transient(f"command {name}: not run, for its time had passed")


@contextmanager
def _not_run(name: str) -> Iterator[None]:
    """The machine has no process, file or memory left for it now, or takes no such long argument."""
    try:
        yield
    except OSError as exc:
        unsent = Transient(f"command {name}: not run: {exc.strerror}")
        unsent.whose_move = Party.OPERATOR
        raise unsent from exc


def _close_stdin(process: asyncio.subprocess.Process) -> None:
    """The guard's sign that nobody waits for it: it kills its command with all children, and ends."""
    assert process.stdin is not None
    process.stdin.close()


async def _end(process: asyncio.subprocess.Process) -> None:
    """Wait until a cancelled command is gone: its stop must not take effect after whoever cancelled it has gone on."""
    _close_stdin(process)
    with suppress(TimeoutError):  # it cannot refuse, but a machine may stand still
        await asyncio.wait_for(process.wait(), CANCELLED_S)


def _secrets_of(argv: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """What an option names as a secret: `--password=X`, `-p X`, `TOKEN=X`, `-u user:X`, `Authorization: Bearer X`.

    And what the variables hold that the admin file lets it have: these are its tokens and passwords.
    """
    given = [match.group(1) for part in argv for form in _FORMS if (match := form.fullmatch(part))]
    for option, value in pairwise(argv):
        if _SECRET_OPTION.fullmatch(option):
            given.append(value)
        if _USER_OPTION.fullmatch(option) and (match := _USER_AND_PASSWORD.fullmatch(value)):
            given.append(match.group(1))
    given += [value for name, value in environment.items() if not _NO_SECRET.fullmatch(name) and len(value) >= SHORTEST]
    return [secret for secret in given if not _is_place(secret)]


def _is_place(value: str) -> bool:
    """A path that is there, or an address without a password: a message needs it, and it is no secret."""
    with suppress(OSError, ValueError):
        return _ADDRESS.fullmatch(value) is not None or (value.startswith("/") and Path(value).exists())
    return False


def _result(exit_code: int, timeout_s: float, stderr: IO[bytes], scrubber: Scrubber) -> CommandResult:
    if exit_code == 0:
        return CommandResult(True, as_safe("done"))
    if exit_code == command_guard.KILLED:
        return CommandResult(False, as_safe(f"not done after {timeout_s:g} s; killed"))
    lines = _lines(stderr)
    if exit_code == command_guard.NOT_FOUND and lines and "cannot be run: " in lines[-1]:
        return CommandResult(False, scrubber.text(lines[-1]))
    said = scrubber.text(lines[-1]) if lines else "no words"
    return CommandResult(False, as_safe(f"exit code {exit_code}: {said}"), exit_code)


def _lines(stderr: IO[bytes]) -> list[str]:
    stderr.seek(0)
    return stderr.read(MAX_STDERR_BYTES).decode(errors="replace").strip().splitlines()
