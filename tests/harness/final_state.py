"""How a migration has to end, whatever was requested and whoever was killed, by the sandbox's own record."""

import shlex
from collections import Counter
from dataclasses import dataclass
from typing import Self, cast

import typer
from typer.core import TyperGroup

from migration.app import App
from migration.cli.__main__ import app as command_line
from migration.cli.runbook import pages
from migration.operations.wording import whose_move
from migration.waves.next_command import next_command
from state.queries.record_check import check_record
from state.rows import Position
from tests.harness.in_process import Harness

PROBED = ("register", "deregister", "command.stop")


@dataclass(frozen=True)
class Baseline:
    """What was true of a number at the moment of a request. `calls`: how many the sandbox had recorded."""

    position: Position
    side: str
    calls: int

    @classmethod
    def now(cls, harness: Harness, position: Position) -> Self:
        return cls(position, harness.sandbox_number(position).side, len(harness.sandbox.world.log))


def effective_calls(harness: Harness, position: Position, since: int = 0) -> Counter[str]:
    """How often each call about the number took effect, not counting the first `since` calls of the sandbox."""
    calls = harness.sandbox.world.log.since(since)
    return Counter(call.call for call in calls if call.write and call.effect and call.e164 == position.e164)


def serving_sides(harness: Harness, position: Position) -> list[str]:
    """Every side that serves the number, each by its own facts."""
    number = harness.sandbox_number(position)
    client = harness.sandbox.world.instance_of(number)
    sides = ["cloud"] if number.platform == "CLOUD_API" else []
    if client is not None and client.running(harness.clock.now()) and not number.cut_off:
        sides.append("on_premises")
    return sides


async def assert_one_next_command(app: App, position: Position) -> None:
    """A live number has one next command, which the command line accepts; an ended number has none."""
    now = await app.queries.now()
    command = next_command(position, now)
    if position.ended_at is not None:
        assert (command, whose_move(position, now), position.next_step) == ("-", "-", None)
        return
    program, verb, *arguments = shlex.split(command)
    assert program == "cutover"
    if verb == "sweep":
        assert arguments == [], command  # it goes on with every number that nobody works on
    else:
        assert arguments[-1] == position.ref, command
    if verb == "runbook":
        assert arguments[0] in pages(), command
    cast("TyperGroup", typer.main.get_command(command_line)).commands[verb].make_context(verb, arguments)


async def assert_ended_on_one_side(
    harness: Harness, app: App, baseline: Baseline, *, left_cloud: bool, side: str, where: str
) -> None:
    """`left_cloud`: the request took the number off Cloud. `side`: where it has to be now."""
    position = await app.queries.positions.find(baseline.position.ref)
    where = f"{where}: {position.side}, {position.status} at {position.next_step}: {position.reason}"
    assert position.ended_at is not None, where
    await assert_one_next_command(app, position)
    sides = (harness.sandbox_number(position).side, position.side.value, serving_sides(harness, position))
    assert sides == (side, side, [side] if side != "neither" else []), where
    assert await app.queries.records.open_attempt(position.migration_id) is None, where
    assert (await check_record(app.database)).problems == [], where
    _assert_nothing_twice(harness, baseline, position, left_cloud=left_cloud, where=where)
    await _assert_senders_resumed(harness, app, position, where)


def _assert_nothing_twice(
    harness: Harness, baseline: Baseline, position: Position, *, left_cloud: bool, where: str
) -> None:
    calls, number = effective_calls(harness, position, baseline.calls), harness.sandbox_number(position)
    registered = number.side == "cloud" and (baseline.side != "cloud" or left_cloud)
    assert (calls["register"], calls["deregister"]) == (int(registered), int(left_cloud)), f"{where}: {calls}"
    assert calls["command.stop"] <= 1, f"{where}: {calls}"
    assert (number.double_effects, number.wrong_pins) == (0, 0), where


async def _assert_senders_resumed(harness: Harness, app: App, position: Position, where: str) -> None:
    """The last event for senders was no pause, and they send to the side that serves."""
    number = harness.sandbox_number(position)
    events = [call for call in harness.mutations(position) if call in ("pause_sends", "resume_sends")]
    assert events[-1:] != ["pause_sends"], f"{where}: {events}"
    assert (position.paused_at, number.sender.paused_at) == (None, None), where
    if number.side != "neither":
        assert number.sender.route == number.side, f"{where}: {harness.mutations(position)}"
    bodies = [row["body"] for row in await app.queries.records.outbox(position.migration_id)]
    if number.side != "neither":
        assert {body["to"] for body in bodies[-1:]} <= {number.side}, f"{where}: {bodies[-1]}"
