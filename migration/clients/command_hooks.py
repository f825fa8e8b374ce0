"""A partner's senders told by a command of the admin file, in place of HTTP. docs/hooks.md is the contract."""

from collections.abc import Mapping
from typing import Any, Protocol

from migration.clients.commands import CommandResult, NamedCommands
from migration.clients.http import WRITE_S
from migration.clients.traffic_hooks import HookAnswer, HookDone, HookDraining, HookVetoed
from migration.errors import Transient
from migration.scrubbing.texts import as_safe

# Exit codes, by the names that programs on Unix have for them: https://man.openbsd.org/sysexits.3
STILL_IN_FLIGHT = 75  # EX_TEMPFAIL
VETO = 77  # EX_NOPERM
RUN_AGAIN = "run the command again"  # in place of the address that an HTTP hook gives


class SenderHooks(Protocol):
    """What steps say to a partner's senders, by whichever way."""

    async def announce(self, body: Mapping[str, Any], key: str, *, send_by: float) -> HookAnswer: ...

    async def ask(self, ask_url: str, key: str, body: Mapping[str, Any], /) -> HookAnswer: ...


class CommandHooks:
    """Runs one command for each announcement; it may be run again with the same key, and has then no second effect."""

    def __init__(self, commands: NamedCommands, name: str) -> None:
        self._commands = commands
        self._name = name

    async def announce(self, body: Mapping[str, Any], key: str, *, send_by: float) -> HookAnswer:
        """`body`: its fields, and `key`, are the arguments. Raises Transient where the command says nothing usable,
        Rejected where it cannot be run with these arguments."""
        arguments = {name: str(value) for name, value in body.items()} | {"key": key}
        return self._meaning(await self._commands.run(self._name, arguments, send_by=send_by, at_most_s=WRITE_S))

    async def ask(self, ask_url: str, key: str, body: Mapping[str, Any]) -> HookAnswer:
        """Run it again while messages are in flight. Raises as `announce` does."""
        return await self.announce(body, key, send_by=float("inf"))

    def _meaning(self, result: CommandResult) -> HookAnswer:
        if result.ok:
            return HookDone()
        if result.exit_code == STILL_IN_FLIGHT:
            return HookDraining(RUN_AGAIN)
        if result.exit_code == VETO:
            return HookVetoed(as_safe(result.detail.partition(": ")[2]))
        raise Transient(f"traffic hook: command {self._name}: {result.detail}", True)
