"""What a trial does and compares: commands as a person types them, and the sandbox's own record."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from subprocess import Popen
from typing import Any

from tests.harness.changing_proxy import ChangingProxy
from tests.harness.cli_fixture import CliFixture
from tests.harness.servers import child

ENDED = ("done", "aborted", "skipped")
SIDES = ("cloud", "on_premises", "neither")


@dataclass
class Outside:
    cli: CliFixture
    proxy: ChangingProxy
    command: list[str]

    def run_wave(self, *options: str) -> int:
        """`cutover run night` to its end, here; its exit code."""
        return self.cli.cutover("run", "night", *options).exit_code

    def mover(self, *options: str) -> AbstractContextManager[Popen[str]]:
        """`cutover run night` in a process of its own, which can be killed."""
        return child(*self.command, "run", "night", *options, env=self.cli.env)

    def status(self) -> dict[str, dict[str, Any]]:
        """By reference, what `cutover status --json` says."""
        document = self.cli.cutover("status", "--json", "--show-numbers").document
        return {row["ref"]: row for row in document["numbers"]}

    def world(self) -> dict[str, dict[str, Any]]:
        """By E.164, what the sandbox says is true."""
        return {row["e164"]: row for row in self.cli.sandbox.control("GET", "world")["numbers"]}

    def calls(self, name: str, e164: str | None = None) -> list[dict[str, Any]]:
        """Calls of this name that reached the other side."""
        calls = self.cli.sandbox.control("GET", "calls")["calls"]
        return [call for call in calls if call["call"] == name and e164 in (None, call["e164"])]

    def paused_senders(self) -> int:
        return sum(not row["running"] for row in self.cli.sandbox.control("GET", "senders")["senders"])

    def until(self, what: Callable[[], Any], within_s: float = 60.0) -> Any:
        """Wait until it is true of the other side. Fails where it does not come."""
        ends = time.monotonic() + within_s
        while not (value := what()):
            assert time.monotonic() < ends, "what was waited for did not come"
            time.sleep(0.05)
        return value

    def untrue(self) -> list[str]:
        """What `status` says of the fleet that the sandbox's record does not bear out."""
        said, true = self.status(), self.world()
        return [f"{ref}: {one}" for ref, row in said.items() for one in _untrue(row, true[row["number"]])]


def _untrue(row: dict[str, Any], true: dict[str, Any]) -> list[str]:
    found = []
    if row["side"] in SIDES and row["side"] != true["side"]:
        found.append(f"said to be on {row['side']}, is on {true['side']}")
    if row["status"] == "done" and true["side"] != "cloud":
        found.append(f"said to be done, is on {true['side']}")
    if row["status"] not in ENDED and not row["next_command"]:
        found.append("no next command")
    if true["double_effects"] or true["wrong_pins"]:
        found.append(f"{true['double_effects']} second effects, {true['wrong_pins']} wrong PINs")
    return found
