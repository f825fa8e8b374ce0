"""The table of an On-Premises client's states: every state is reached, and every row does what it says."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from sandbox.app import Sandbox
from sandbox.onprem.deployments import CALLS
from sandbox.onprem.operator_actions import FAILS, HANDS
from sandbox.onprem.outside_changes import ELSEWHERE
from sandbox.onprem.transitions import FACTS, Move
from sandbox.scenarios.scenario_file import read
from sandbox.world.client_states import STATES
from sandbox.world.number import certificate
from tests.sandbox.partner import Clock, Far, code_of

SLOW = {"client_start_s": 5, "client_connect_s": 5}
Way = Callable[[Far], Awaitable[Any]]


def far_of(row: str = "{kind: healthy}", world: str = "open", **more: Any) -> Far:
    chosen = "".join(f"\n  {name}: {value}" for name, value in (SLOW | more).items())
    clock = Clock()
    told = read(f"world: {world}\nseed: 7\nnumbers: [{row}, {{kind: healthy}}]\nswitches:{chosen}")
    return Far(Sandbox.from_scenario(told, now=clock.now), clock)


async def state(far: Far) -> str:
    return str((await far.oracle("GET", "world"))["numbers"][0]["instance"])


def do(*what: str) -> Way:
    async def way(far: Far) -> None:
        for one in what:
            if one == "wait":
                far.clock.pass_(seconds=11)
            else:
                await far.oracle("POST", f"instances/{far.row['instance']}", json={"do": one})
                far.tokens.clear()

    return way


def manager(what: str) -> Way:
    async def way(far: Far) -> None:
        await far.oracle("POST", "manager", json={"e164": far.e164, "do": what})

    return way


async def nothing(_: Far) -> None:
    """It is so already."""


async def late(far: Far) -> None:
    far.clock.pass_(days=200)


async def moved(far: Far) -> None:
    assert (await far.register(backup=await far.backup())).status_code == 200


async def shut_out(far: Far) -> None:
    await far.register(pin="000000")


async def restored(far: Far) -> None:
    await far.onprem("POST", "settings/restore", json=await far.backup())


def body(far: Far, **more: Any) -> dict[str, Any]:
    told = {"cc": far.e164[1:3], "phone_number": far.e164[3:], "method": "sms", "pin": far.number.pin}
    return told | {"cert": certificate(far.number)} | more


async def asked(far: Far) -> None:
    await do("wipe", "wait")(far)
    answer = await far.onprem("POST", "account", json=body(far))
    assert answer.status_code == 202


REACH: dict[str, Way] = {
    "host_gone": do("gone"),
    "stopped": do("stop"),
    "expired": late,
    "uninitialized": do("upgrade"),
    "coreapp_down": do("coreapp_down"),
    "app_stopped": restored,
    "banned": manager("ban"),
    "code_requested": asked,
    "moved": moved,
    "connecting": do("coreapp_down", "coreapp_up"),
    "locked": do("lock"),
    "connected": nothing,
    "unregistered": do("wipe", "wait"),
    "disconnected": shut_out,
}


@pytest.mark.parametrize("name", STATES)
async def test_every_state_is_reached_and_shows_what_the_table_says(name: str) -> None:
    far = far_of(pin_lock_s=0)
    await far.onprem("GET", "health")
    await REACH[name](far)
    assert await state(far) == name
    if STATES[name].gateway:
        far.tokens.clear()
        assert await far.health() == STATES[name].gateway
    if name not in ("uninitialized", "host_gone", "stopped", "coreapp_down", "app_stopped"):
        told = (await far.onprem("GET", "support")).json()["support"]
        assert told["socket_conn"] == STATES[name].socket
    assert (far.number.side == "on_premises") is STATES[name].serves


@dataclass
class Case:
    """How a row is met: in which fleet, from which state, and with what in the call."""

    begins: str = ""
    row: str = "{kind: healthy}"
    world: str = "open"
    before: tuple[Way, ...] | None = None
    told: Callable[[Far], dict[str, Any]] | None = None
    switches: dict[str, Any] = field(default_factory=dict)


def say(**more: Any) -> Callable[[Far], dict[str, Any]]:
    return lambda far: body(far, **more)


def bare(**only: Any) -> Callable[[Far], dict[str, Any]]:
    return lambda _: only


kept: dict[str, dict[str, str]] = {}


async def keep(far: Far) -> None:
    kept["backup"] = await far.backup()


async def of_the_other(far: Far) -> None:
    far.at = 1
    await keep(far)
    far.at = 0


async def more_shards(far: Far) -> None:
    await keep(far)
    assert (await far.onprem("POST", "account/shards", json=body(far, shards=4))).status_code == 201
    far.clock.pass_(seconds=6)


def from_kept(_: Far) -> dict[str, Any]:
    return kept["backup"]


def renamed(far: Far) -> dict[str, Any]:
    """With the certificate of the name that it had before."""
    told = body(far)
    far.number.name = "Another Name"
    return told


RECENT = "{kind: multiconnect, registered_days_ago: 1}"
PAST = "its build is past its date"
# (trigger, what its row asks) -> how that is met.
CASES: dict[tuple[str, str], Case] = {
    ("stop", "its stop command fails"): Case(row="{kind: stop_fails}"),
    ("start", PAST): Case("stopped", before=(do("stop"), late)),
    ("back", PAST): Case("host_gone", before=(do("gone"), late)),
    ("wipe", PAST): Case("stopped", before=(do("stop"), late)),
    ("coreapp_up", FACTS): Case("coreapp_down", before=(do("wipe", "wait", "coreapp_down"),)),
    ("upgraded", FACTS): Case("uninitialized", before=(do("wipe", "wait", "upgrade"),)),
    ("online", "it was offline"): Case("disconnected", before=(do("offline"),)),
    ("account", "a parameter is missing"): Case(told=bare(cc="49")),
    ("account", "another method"): Case(told=say(method="fax")),
    ("account", "the world is not open"): Case(world="closing"),
    ("account", "the certificate cannot be read"): Case("unregistered", told=say(cert="x")),
    ("account", "the certificate is of another number or name"): Case("unregistered", told=renamed),
    ("account", "it is on Cloud: switch `account_while_on_cloud`"): Case(
        "moved", before=(moved,), switches={"account_while_on_cloud": "refused"}
    ),
    ("account", "two-step is on and the PIN missing or wrong"): Case("unregistered", told=say(pin="1")),
    ("account", ""): Case("unregistered"),
    ("verify", "no code was asked for"): Case("connected"),
    ("verify", "a wrong code"): Case("code_requested", told=bare(code="x")),
    ("verify", ""): Case("code_requested", told=lambda far: {"code": far.sandbox.sms(far.e164)[-1]}),
    ("shards", "another count"): Case(told=say(shards=3)),
    ("shards", "cc, phone_number or, from v2.45 on, cert is missing"): Case(told=bare(shards=2, cc="1")),
    ("shards", "two-step is on and the PIN missing or wrong"): Case(told=say(shards=2, pin="1")),
    ("shards", "the certificate expired"): Case(before=(do("certificate_expires"),), told=say(shards=2)),
    ("shards", "the certificate is wrong"): Case(told=say(shards=2, cert="x")),
    ("shards", "more than 7 days after registration"): Case(told=say(shards=2)),
    ("shards", ""): Case(row=RECENT, told=say(shards=4)),
    ("two_step", "no PIN"): Case(told=bare()),
    ("two_step", "no 6 digits"): Case(told=bare(pin="12")),
    ("backup", "no password"): Case(told=bare()),
    ("backup", "backups fail"): Case(row="{kind: no_backup}"),
    ("backup", "it is registered"): Case("expired", switches={"expired_backup": "accepted"}),
    ("restore", "data or password is missing"): Case(told=bare()),
    ("restore", "it does not open"): Case(told=bare(data="x", password="x")),
    ("restore", "its shards are others"): Case(row=RECENT, before=(more_shards,)),
    ("restore", "of another number"): Case(before=(of_the_other,)),
    ("restore", "it is clean and Meta takes it: switch `restore_registers`"): Case(
        "unregistered", before=(keep, do("wipe", "wait"))
    ),
    ("restore", "it is clean"): Case(
        "unregistered", before=(keep, shut_out, do("wipe", "wait")), switches={"restore_registers": "never"}
    ),
    ("restore", "it had an app"): Case(before=(keep,)),
}
# Rows that ask the same, by where they begin.
SPECIAL: dict[tuple[str, tuple[str, ...], str], Case] = {
    ("verify", ("expired",), ""): Case("expired", before=(asked, late)),
    ("verify", ("banned",), ""): Case("banned", before=(asked, manager("ban"))),
    ("restore", ("expired",), ""): Case("expired", before=(keep, late)),
    ("restore", ("expired",), "switch `expired_restore`"): Case(
        "expired", before=(keep, late), switches={"expired_restore": "refused"}
    ),
    ("restore", ("moved", "code_requested"), "it is clean"): Case("moved", before=(keep, moved)),
    ("backup", (), ""): Case("disconnected"),
    ("shards", (), ""): Case("disconnected", told=say(shards=2)),
    ("two_step", (), ""): Case("disconnected"),
    ("two_step_off", (), ""): Case("disconnected"),
    ("account", ("banned",), ""): Case("banned"),
    ("account", ("expired",), ""): Case("expired"),
    ("shards", ("connecting",), ""): Case("connecting", told=say(shards=2)),
}
PATHS = {
    "account": ("POST", "account"),
    "verify": ("POST", "account/verify"),
    "shards": ("POST", "account/shards"),
    "two_step": ("POST", "settings/account/two-step"),
    "two_step_off": ("DELETE", "settings/account/two-step"),
    "backup": ("POST", "settings/backup"),
    "restore": ("POST", "settings/restore"),
}
BODIES: dict[str, Callable[[Far], dict[str, Any]]] = {
    "two_step": bare(pin="271828"),
    "backup": bare(password="words"),
    "restore": from_kept,
    "verify": bare(code="1"),
}


def case_of(move: Move) -> Case:
    case = SPECIAL.get((move.trigger, move.begins, move.when))
    asked_for = FACTS if move.ends == FACTS else move.when
    return case or CASES.get((move.trigger, asked_for)) or Case()


def start_of(move: Move, case: Case) -> str:
    """A state from which this row is the first that fits."""
    if case.begins:
        return case.begins
    taken = {name for one in (*HANDS, *CALLS) for name in one.begins if one.trigger == move.trigger and one is not move}
    free = [name for name in ("connected", "unregistered", "disconnected", "host_gone", *STATES) if name not in taken]
    return move.begins[0] if move.begins else free[0]


def named(move: Move) -> str:
    return f"{move.trigger}-{','.join(move.begins) or 'any'}-{move.when or '-'}"


@pytest.mark.parametrize("move", [*HANDS, *CALLS], ids=named)
async def test_every_row_is_met_and_does_what_it_says(move: Move) -> None:
    case = case_of(move)
    far = far_of(case.row, case.world, **case.switches)
    await far.onprem("GET", "health")
    begins = start_of(move, case)
    for way in case.before or (REACH[begins],):
        await way(far)
    far.tokens.clear()
    before = await state(far)
    assert before == begins
    status, code = await told(far, move, case)
    after = await state(far)
    if move.no is not None:
        wanted = move.no.code
        assert code == (getattr(far.sandbox.world.switches, wanted) if isinstance(wanted, str) else wanted)
    else:
        assert (status, code) == (move.status, None)
    assert after in STATES if move.ends == FACTS else after == (move.ends or before)


async def told(far: Far, move: Move, case: Case) -> tuple[int, int | None]:
    if move in HANDS:
        where = f"/_sandbox/instances/{far.row['instance']}"
        return (await far.client.post(where, json={"do": move.trigger})).status_code, None
    method, path = PATHS[move.trigger]
    make = case.told or BODIES.get(move.trigger) or body
    answer = await far.onprem(method, path, **({"json": make(far)} if method == "POST" else {}))
    return answer.status_code, code_of(answer)


def test_no_answer_that_is_only_a_guess_stands_as_one_value() -> None:
    """What no page gives is a switch: a code of ours in the table would be the only one that software is tried on."""
    guessed = [move for move in CALLS if move.source == "ours" and move.no is not None]
    assert guessed
    assert [named(move) for move in guessed if not isinstance(move.no and move.no.code, str)] == []


def test_a_command_that_fails_is_one_that_the_oracle_says_failed() -> None:
    assert {move.status for move in HANDS} == {200, FAILS}


# -- what happens elsewhere


async def bad_backup(far: Far) -> None:
    garbled = await far.backup()
    await far.register(backup=garbled | {"data": garbled["data"][::-1]})


async def deregistered(far: Far) -> None:
    await far.phone("POST", "deregister")


async def waits(far: Far) -> None:
    far.clock.pass_(seconds=5)


async def starts(far: Far) -> None:
    await do("start")(far)


async def other_client(far: Far) -> None:
    spare = far.row["spare"]
    login = await far.client.post(f"{spare['onprem_url']}/v1/users/login", auth=("admin", spare["password"]))
    bearer = {"Authorization": f"Bearer {login.json()['users'][0]['token']}"}
    first = await far.client.post(f"{spare['onprem_url']}/v1/account", json=body(far), headers=bearer)
    assert first.status_code == 202
    code = {"code": far.sandbox.sms(far.e164)[-1]}
    assert (await far.client.post(f"{spare['onprem_url']}/v1/account/verify", json=code, headers=bearer)).is_success


HAPPENS: dict[tuple[str, str], tuple[Way, Way]] = {
    ("Cloud register, right PIN", "moved"): (nothing, moved),
    ("Cloud register, wrong PIN", "disconnected"): (nothing, shut_out),
    ("Cloud register, bad backup", ""): (nothing, bad_backup),
    ("Cloud deregister", "disconnected"): (moved, deregistered),
    ("another client registers", "disconnected"): (nothing, other_client),
    ("the start is over", "connecting"): (starts, waits),
    ("the start is over", FACTS): (do("wipe"), waits),
    ("WhatsApp lets it in", "connected"): (do("coreapp_down", "coreapp_up"), waits),
    ("the build's date passes", "expired"): (nothing, late),
    ("Meta bans the number", "banned"): (nothing, manager("ban")),
    ("Meta takes the ban back", "connected"): (manager("ban"), manager("reinstate")),
}


@pytest.mark.parametrize("move", ELSEWHERE, ids=named)
async def test_what_happens_elsewhere_moves_it_as_the_table_says(move: Move) -> None:
    far = far_of("{kind: healthy, spare_client: true}")
    await far.onprem("GET", "health")
    before, happens = HAPPENS[move.trigger, move.ends]
    await before(far)
    begins = await state(far)
    assert begins in move.begins
    await happens(far)
    own = far.sandbox.world.describe(far.number)["clients"][far.row["instance"]]
    assert own == ("unregistered" if move.ends == FACTS else move.ends or begins)


async def test_a_start_that_takes_time_is_an_outage_until_it_is_connected() -> None:
    far = far_of()
    await starts(far)
    far.clock.pass_(seconds=60)
    assert (far.number.side, far.number.outage_s) == ("on_premises", 10)


async def test_while_it_starts_its_coreapp_answers_1011_and_a_locked_one_1031() -> None:
    far = far_of()
    hello = {"to": "4915112345678", "type": "text", "text": {"body": "x"}}
    await do("upgrade")(far)
    assert code_of(await far.onprem("POST", "messages", json=hello)) == 1011
    await do("upgraded", "wait", "lock")(far)
    assert code_of(await far.onprem("POST", "messages", json=hello)) == 1031
    await manager("ban")(far)
    assert code_of(await far.onprem("POST", "messages", json=hello)) == 1031
    await manager("reinstate")(far)
    await do("stop")(far)
    with pytest.raises(httpx.ConnectError):
        await far.onprem("POST", "messages", json=hello)
