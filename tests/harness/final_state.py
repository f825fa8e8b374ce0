"""How a story has to end, whatever was asked for and whoever was killed: by the far side's own record."""

import shlex
from collections import Counter
from dataclasses import dataclass
from typing import cast

import typer
from typer.core import TyperGroup

from migration.app import App
from migration.cli.__main__ import app as command_line
from migration.cli.runbook import pages
from migration.operations.wording import next_command, whose_move
from state.rows import Position
from tests.harness.in_process import Rig

PROBED = ("register", "deregister", "command.stop")


@dataclass(frozen=True)
class Before:
    """What was true when something was asked for."""

    at: Position
    side: str
    calls: int

    @classmethod
    def now(cls, rig: Rig, at: Position) -> "Before":
        return cls(at, rig.number(at).side, len(rig.sandbox.world.log))


def effects(rig: Rig, at: Position, since: int = 0) -> Counter[str]:
    """Calls about the number that did what they ask for, after so many calls."""
    calls = rig.sandbox.world.log.since(since)
    return Counter(call.call for call in calls if call.write and call.effect and call.e164 == at.e164)


def serving(rig: Rig, at: Position) -> list[str]:
    """Every side that serves the number, each by its own facts."""
    number = rig.number(at)
    client = rig.sandbox.world.instance_of(number)
    found = ["cloud"] if number.platform == "CLOUD_API" else []
    if client is not None and client.running(rig.clock.now()) and not number.cut_off:
        found.append("on_premises")
    return found


async def one_next_action(app: App, at: Position) -> None:
    """A live number has one thing to type, which the command line takes; an ended one has none."""
    now = await app.queries.now()
    typed = next_command(at, now)
    if at.ended_at is not None:
        assert (typed, whose_move(at, now), at.next_step) == ("-", "-", None)
        return
    program, verb, *words = shlex.split(typed)
    assert program == "cutover"
    assert words[-1] == at.ref, typed
    if verb == "runbook":
        assert words[0] in pages(), typed
    cast("TyperGroup", typer.main.get_command(command_line)).commands[verb].make_context(verb, words)


async def ended_on_one_side(rig: Rig, app: App, before: Before, *, gone_back: bool, side: str, where: str) -> None:
    """`gone_back`: it was taken off Cloud by what was asked for. `side`: where it has to be now."""
    at = await app.queries.find(before.at.ref)
    where = f"{where}: {at.side}, {at.status} at {at.next_step}: {at.reason}"
    assert at.ended_at is not None, where
    await one_next_action(app, at)
    number = rig.number(at)
    assert (number.side, at.side.value, serving(rig, at)) == (side, side, [side] if side != "neither" else []), where
    assert await app.queries.open_attempt(at.migration_id) is None, where
    assert await app.queries.broken_link(at.migration_id) is None, where
    _nothing_twice(rig, before, at, gone_back=gone_back, where=where)
    await _senders_go_on(rig, app, at, where)


def _nothing_twice(rig: Rig, before: Before, at: Position, *, gone_back: bool, where: str) -> None:
    seen, number = effects(rig, at, before.calls), rig.number(at)
    came_up = number.side == "cloud" and (before.side != "cloud" or gone_back)
    assert (seen["register"], seen["deregister"]) == (int(came_up), int(gone_back)), f"{where}: {seen}"
    assert seen["command.stop"] <= 1, f"{where}: {seen}"
    assert (number.double_effects, number.wrong_pins) == (0, 0), where


async def _senders_go_on(rig: Rig, app: App, at: Position, where: str) -> None:
    """The last word to them was no pause, and they send to the side that serves."""
    number = rig.number(at)
    words = [word for word in rig.mutations(at) if word in ("pause_sends", "resume_sends")]
    assert words[-1:] != ["pause_sends"], f"{where}: {words}"
    assert (at.paused_at, number.sender.paused_at) == (None, None), where
    if number.side != "neither":
        assert number.sender.route == number.side, f"{where}: {rig.mutations(at)}"
    told = [row["body"] for row in await app.queries.outbox(at.migration_id)]
    if number.side != "neither":
        assert {body["to"] for body in told[-1:]} <= {number.side}, f"{where}: {told[-1]}"
