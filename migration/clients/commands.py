"""Commands that stop or start instances: named in the admin file, arguments validated, no shell."""

import asyncio
import os
import re
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import IO

from pydantic import BaseModel, ConfigDict, Field, field_validator

from migration.clock import SystemClock
from migration.errors import Rejected, Transient, WriteRefused
from migration.runtime import command_guard
from migration.scrubbing.texts import SafeText, Scrubber, as_safe

ENVIRONMENT = ("PATH", "HOME", "LANG")
# Our own settings are no command's business: the master key is one of them.
VARIABLE = re.compile(r"(?!CUTOVER_)[A-Za-z_][A-Za-z0-9_]*")
LONGEST_S = 50.0  # of one command; within the longest call of the steps that run one
UMASK = 0o022  # ours lets nobody read what a command of ours writes; what a stop command writes is for its users
MAX_STDERR_BYTES = 100_000  # read of what a failed command wrote to its standard error
_SECRET = r"[\w-]*(?:passw(?:or)?d|passphrase|pwd|secret|token|pin|api[-_]?key)"
_SECRET_ARGUMENT = re.compile(rf"{_SECRET}=(.+)", re.IGNORECASE | re.DOTALL)
_SECRET_OPTION = re.compile(rf"-+(?:{_SECRET}|p)", re.IGNORECASE)
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
            raise ValueError(f"{wrong[0]} is no name of a variable that a command may get")
        return names

    def command_line(self, values: Mapping[str, str]) -> list[str]:
        """`argv` with the values in place. Raises Rejected for a value that is missing or not of its pattern."""
        for name in {name for part in self.argv for name in _PLACEHOLDER.findall(part)}:
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
    ok: bool
    detail: SafeText


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

    async def run(self, name: str, arguments: Mapping[str, str], *, send_by: float) -> CommandResult:
        """Run a command to its end. One that exceeds its `timeout_s` is killed with its children, and has failed.
        It is killed as well when this process ends before it.

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
        limits = (repr(send_by if self._is_real else float("inf")), repr(command.timeout_s))
        guard = (sys.executable, "-I", "-S", str(command_guard.__file__), *limits)
        # A file, not a pipe: what a command leaves running may keep a pipe open for ever.
        with tempfile.TemporaryFile() as stderr:
            process = await asyncio.create_subprocess_exec(
                *guard,
                *argv,
                stdin=asyncio.subprocess.PIPE,  # its end is the guard's sign that this process is gone
                stdout=asyncio.subprocess.DEVNULL,
                stderr=stderr,
                start_new_session=True,
                env=command.environment(os.environ),
                umask=UMASK,
            )
            try:
                exit_code = await process.wait()
            finally:
                assert process.stdin is not None
                process.stdin.close()
            if exit_code == command_guard.LATE and _lines(stderr)[-1:] == [command_guard.LATE_LINE]:
                raise Transient(f"command {name}: not run, for its time had passed")
            return _result(exit_code, command.timeout_s, stderr, Scrubber(_secrets_of(argv)))

    def check_deadline(self, name: str, send_by: float) -> None:
        """Raises Transient once `send_by` has passed."""
        if self._boot_time() >= send_by:
            raise Transient(f"command {name}: not run, for its time had passed")


def _secrets_of(argv: Sequence[str]) -> list[str]:
    """Arguments that an option names as a secret: `--password=X`, `-p X` or `TOKEN=X`, with or without dashes."""
    secrets = [match.group(1) for part in argv if (match := _SECRET_ARGUMENT.fullmatch(part))]
    return secrets + [value for option, value in pairwise(argv) if _SECRET_OPTION.fullmatch(option)]


def _result(exit_code: int, timeout_s: float, stderr: IO[bytes], scrubber: Scrubber) -> CommandResult:
    if exit_code == 0:
        return CommandResult(True, as_safe("done"))
    if exit_code == command_guard.KILLED:
        return CommandResult(False, as_safe(f"not done after {timeout_s:g} s; killed"))
    lines = _lines(stderr)
    if exit_code == command_guard.NOT_FOUND and lines and "cannot be run: " in lines[-1]:
        return CommandResult(False, scrubber.text(lines[-1]))
    said = scrubber.text(lines[-1]) if lines else "no words"
    return CommandResult(False, as_safe(f"exit code {exit_code}: {said}"))


def _lines(stderr: IO[bytes]) -> list[str]:
    stderr.seek(0)
    return stderr.read(MAX_STDERR_BYTES).decode(errors="replace").strip().splitlines()
