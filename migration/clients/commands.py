"""Commands that stop or start instances: named in the admin file, arguments validated, no shell."""

import asyncio
import os
import re
import signal
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

from pydantic import BaseModel, ConfigDict, Field, field_validator

from migration.clock import SystemClock
from migration.errors import Rejected, Transient, WriteRefused

LONGEST_WORDS = 100_000  # bytes of what a failed command says that are looked at
_PLACE = re.compile(r"\{(\w+)\}")


class NamedCommand(BaseModel):
    """`argv` with `{name}` places; `arguments` gives the pattern that each must match as a whole."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    argv: tuple[str, ...] = Field(min_length=1)
    arguments: Mapping[str, str] = {}
    timeout_s: float = Field(30.0, gt=0, le=50)

    @field_validator("arguments")
    @classmethod
    def _patterns(cls, patterns: Mapping[str, str]) -> Mapping[str, str]:
        for name, pattern in patterns.items():
            try:
                re.compile(pattern)
            except re.error as exc:
                raise ValueError(f"the pattern of {name} is not a regular expression: {exc}") from exc
        return patterns

    def filled(self, given: Mapping[str, str]) -> list[str]:
        """Raises Rejected for a missing argument or one that does not match its pattern."""
        for place in {name for part in self.argv for name in _PLACE.findall(part)}:
            pattern = self.arguments.get(place)
            if pattern is None or place not in given:
                raise Rejected("a named command", None, f"the argument {place} is not given or has no pattern")
            if re.fullmatch(pattern, given[place]) is None:
                raise Rejected("a named command", None, f"the argument {place} does not match {pattern}")
        return [_PLACE.sub(lambda found: given[found.group(1)], part) for part in self.argv]


@dataclass(frozen=True, slots=True)
class CommandResult:
    ok: bool
    detail: str


class NamedCommands:
    def __init__(
        self,
        known: Mapping[str, NamedCommand],
        *,
        refuse: bool = False,
        boot: Callable[[], float] | None = None,
    ) -> None:
        self._known = known
        self._refuse = refuse
        self._boot = boot or SystemClock().boot

    async def run(self, name: str, arguments: Mapping[str, str], *, send_by: float) -> CommandResult:
        """Run it to its end; a command that takes too long is killed with its children and counts as failed.

        Raises Rejected for a name that the admin file does not have, Transient once `send_by` (boot-time clock,
        seconds) has passed: whoever was stopped for long would stop a client that serves again by now.
        """
        command = self._known.get(name)
        if command is None:
            raise Rejected(f"command {name}", None, f"the admin file names no command {name}")
        argv = command.filled(arguments)
        if self._refuse:
            raise WriteRefused(f"a dry run stops before the command {name}")
        self.in_time(name, send_by)
        # A file, not a pipe: what a command leaves running may keep a pipe open for ever.
        with tempfile.TemporaryFile() as said:
            try:
                child = await asyncio.create_subprocess_exec(
                    *argv,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.DEVNULL,
                    stderr=said,
                    start_new_session=True,
                )
            except OSError as exc:
                return CommandResult(False, f"{argv[0]} cannot be run: {exc.strerror}")
            return await _ended(child, command.timeout_s, said)

    def in_time(self, name: str, send_by: float) -> None:
        if self._boot() >= send_by:
            raise Transient(f"command {name}: not run, for its time had passed")


async def _ended(child: asyncio.subprocess.Process, timeout_s: float, said: IO[bytes]) -> CommandResult:
    try:
        code = await asyncio.wait_for(child.wait(), timeout_s)
    except TimeoutError:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        await child.wait()
        return CommandResult(False, f"not done after {timeout_s:g} s; killed")
    if code == 0:
        return CommandResult(True, "done")
    said.seek(0)
    words = said.read(LONGEST_WORDS).decode(errors="replace").strip().splitlines()
    return CommandResult(False, f"exit code {code}: {words[-1] if words else 'no words'}"[:200])
