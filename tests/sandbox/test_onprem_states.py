"""The table of an On-Premises client's states: every state is reachable, every transition does what it declares."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from sandbox.onprem.deployments import API_TRANSITIONS
from sandbox.onprem.operator_actions import FAILS, OPERATOR_TRANSITIONS
from sandbox.onprem.outside_changes import OUTSIDE_TRANSITIONS
from sandbox.onprem.transitions import FOLLOWS_FROM_FACTS, Transition
from sandbox.world.client_states import STATES
from sandbox.world.number import certificate
from tests.sandbox.partner import Partner, error_code_of

SLOW = {"client_start_s": 5, "client_connect_s": 5}
Action = Callable[[Partner], Awaitable[Any]]


def partner_with(row: str = "{kind: healthy}", world: str = "open", **switches: Any) -> Partner:
    lines = "".join(f"\n  {name}: {value}" for name, value in (SLOW | switches).items())
    return Partner.from_scenario(f"world: {world}\nseed: 7\nnumbers: [{row}, {{kind: healthy}}]\nswitches:{lines}")


async def client_state(partner: Partner) -> str:
    return str((await partner.oracle("GET", "world"))["numbers"][0]["instance"])


def client_actions(*actions: str) -> Action:
    async def run(partner: Partner) -> None:
        for action in actions:
            if action == "wait":
                partner.clock.advance(seconds=11)
            else:
                await partner.act_on_client(action)
                partner.tokens.clear()

    return run


def manager_action(action: str) -> Action:
    async def run(partner: Partner) -> None:
        await partner.act_in_manager(action)

    return run


async def no_action(_: Partner) -> None:
    """Nothing has to be done: the client is in that state already."""


async def let_client_expire(partner: Partner) -> None:
    partner.clock.advance(days=200)


async def move_to_cloud(partner: Partner) -> None:
    assert (await partner.register(backup=await partner.backup())).status_code == 200


async def register_with_wrong_pin(partner: Partner) -> None:
    await partner.register(pin="000000")


async def restore_own_backup(partner: Partner) -> None:
    await partner.onprem("POST", "settings/restore", json=await partner.backup())


def account_body(partner: Partner, **changes: Any) -> dict[str, Any]:
    body = {"cc": partner.e164[1:3], "phone_number": partner.e164[3:], "method": "sms", "pin": partner.number.pin}
    return body | {"cert": certificate(partner.number)} | changes


async def request_code(partner: Partner) -> None:
    await client_actions("wipe", "wait")(partner)
    response = await partner.onprem("POST", "account", json=account_body(partner))
    assert response.status_code == 202


REACH_STATE: dict[str, Action] = {
    "host_gone": client_actions("gone"),
    "stopped": client_actions("stop"),
    "expired": let_client_expire,
    "uninitialized": client_actions("upgrade"),
    "coreapp_down": client_actions("coreapp_down"),
    "app_stopped": restore_own_backup,
    "banned": manager_action("ban"),
    "code_requested": request_code,
    "moved": move_to_cloud,
    "connecting": client_actions("coreapp_down", "coreapp_up"),
    "locked": client_actions("lock"),
    "connected": no_action,
    "unregistered": client_actions("wipe", "wait"),
    "disconnected": register_with_wrong_pin,
}


@pytest.mark.parametrize("name", STATES)
async def test_every_state_is_reachable_and_reads_as_declared(name: str) -> None:
    partner = partner_with(pin_lock_s=0)
    await partner.onprem("GET", "health")
    await REACH_STATE[name](partner)
    assert await client_state(partner) == name
    if STATES[name].gateway:
        partner.tokens.clear()
        assert await partner.gateway_status() == STATES[name].gateway
    if name not in ("uninitialized", "host_gone", "stopped", "coreapp_down", "app_stopped"):
        support = (await partner.onprem("GET", "support")).json()["support"]
        assert support["socket_conn"] == STATES[name].socket
    assert (partner.number.side == "on_premises") is STATES[name].serves


@dataclass
class Case:
    """How a transition is reached: the fleet, the state it begins in, the actions before it, and the call's body."""

    begins: str = ""
    row: str = "{kind: healthy}"
    world: str = "open"
    before: tuple[Action, ...] | None = None
    body: Callable[[Partner], dict[str, Any]] | None = None
    switches: dict[str, Any] = field(default_factory=dict)


def account_with(**changes: Any) -> Callable[[Partner], dict[str, Any]]:
    return lambda partner: account_body(partner, **changes)


def only_body(**body: Any) -> Callable[[Partner], dict[str, Any]]:
    return lambda _: body


saved: dict[str, dict[str, str]] = {}


async def save_backup(partner: Partner) -> None:
    saved["backup"] = await partner.backup()


async def save_backup_of_other_number(partner: Partner) -> None:
    partner.selected = 1
    await save_backup(partner)
    partner.selected = 0


async def save_backup_then_add_shards(partner: Partner) -> None:
    await save_backup(partner)
    assert (await partner.onprem("POST", "account/shards", json=account_body(partner, shards=4))).status_code == 201
    partner.clock.advance(seconds=6)


def saved_backup(_: Partner) -> dict[str, Any]:
    return saved["backup"]


def renamed_account(partner: Partner) -> dict[str, Any]:
    """A body with the certificate of the number's former name."""
    body = account_body(partner)
    partner.number.name = "Another Name"
    return body


RECENT = "{kind: multiconnect, registered_days_ago: 1}"
PAST_EXPIRY = "its build is past its date"
# (trigger, condition of the transition) -> how it is reached.
CASES: dict[tuple[str, str], Case] = {
    ("stop", "its stop command fails"): Case(row="{kind: stop_fails}"),
    ("start", PAST_EXPIRY): Case("stopped", before=(client_actions("stop"), let_client_expire)),
    ("back", PAST_EXPIRY): Case("host_gone", before=(client_actions("gone"), let_client_expire)),
    ("wipe", PAST_EXPIRY): Case("stopped", before=(client_actions("stop"), let_client_expire)),
    ("coreapp_up", FOLLOWS_FROM_FACTS): Case("coreapp_down", before=(client_actions("wipe", "wait", "coreapp_down"),)),
    ("upgraded", FOLLOWS_FROM_FACTS): Case("uninitialized", before=(client_actions("wipe", "wait", "upgrade"),)),
    ("online", "it was offline"): Case("disconnected", before=(client_actions("offline"),)),
    ("account", "a parameter is missing"): Case(body=only_body(cc="49")),
    ("account", "another method"): Case(body=account_with(method="fax")),
    ("account", "the world is not open"): Case(world="closing"),
    ("account", "the certificate cannot be read"): Case("unregistered", body=account_with(cert="x")),
    ("account", "the certificate is of another number or name"): Case("unregistered", body=renamed_account),
    ("account", "it is on Cloud: switch `account_while_on_cloud`"): Case(
        "moved", before=(move_to_cloud,), switches={"account_while_on_cloud": "refused"}
    ),
    ("account", "two-step is on and the PIN missing or wrong"): Case("unregistered", body=account_with(pin="1")),
    ("account", ""): Case("unregistered"),
    ("verify", "no code was requested"): Case("connected"),
    ("verify", "a wrong code"): Case("code_requested", body=only_body(code="x")),
    ("verify", ""): Case("code_requested", body=lambda partner: {"code": partner.sandbox.sms(partner.e164)[-1]}),
    ("shards", "another count"): Case(body=account_with(shards=3)),
    ("shards", "cc, phone_number or, from v2.45 on, cert is missing"): Case(body=only_body(shards=2, cc="1")),
    ("shards", "two-step is on and the PIN missing or wrong"): Case(body=account_with(shards=2, pin="1")),
    ("shards", "the certificate expired"): Case(
        before=(client_actions("certificate_expires"),), body=account_with(shards=2)
    ),
    ("shards", "the certificate is wrong"): Case(body=account_with(shards=2, cert="x")),
    ("shards", "more than 7 days after registration"): Case(body=account_with(shards=2)),
    ("shards", ""): Case(row=RECENT, body=account_with(shards=4)),
    ("two_step", "no PIN"): Case(body=only_body()),
    ("two_step", "no 6 digits"): Case(body=only_body(pin="12")),
    ("backup", "no password"): Case(body=only_body()),
    ("backup", "backups fail"): Case(row="{kind: no_backup}"),
    ("backup", "it is registered"): Case("expired", switches={"expired_backup": "accepted"}),
    ("restore", "data or password is missing"): Case(body=only_body()),
    ("restore", "it does not open"): Case(body=only_body(data="x", password="x")),
    ("restore", "its shards are others"): Case(row=RECENT, before=(save_backup_then_add_shards,)),
    ("restore", "of another number"): Case(before=(save_backup_of_other_number,)),
    ("restore", "it is clean and Meta takes it: switch `restore_registers`"): Case(
        "unregistered", before=(save_backup, client_actions("wipe", "wait"))
    ),
    ("restore", "it is clean"): Case(
        "unregistered",
        before=(save_backup, register_with_wrong_pin, client_actions("wipe", "wait")),
        switches={"restore_registers": "never"},
    ),
    ("restore", "it had an app"): Case(before=(save_backup,)),
}
# Transitions that share trigger and condition with another, by the states they begin in.
SPECIAL_CASES: dict[tuple[str, tuple[str, ...], str], Case] = {
    ("verify", ("expired",), ""): Case("expired", before=(request_code, let_client_expire)),
    ("verify", ("banned",), ""): Case("banned", before=(request_code, manager_action("ban"))),
    ("restore", ("expired",), ""): Case("expired", before=(save_backup, let_client_expire)),
    ("restore", ("expired",), "switch `expired_restore`"): Case(
        "expired", before=(save_backup, let_client_expire), switches={"expired_restore": "refused"}
    ),
    ("restore", ("moved", "code_requested"), "it is clean"): Case("moved", before=(save_backup, move_to_cloud)),
    ("backup", (), ""): Case("disconnected"),
    ("shards", (), ""): Case("disconnected", body=account_with(shards=2)),
    ("two_step", (), ""): Case("disconnected"),
    ("two_step_off", (), ""): Case("disconnected"),
    ("account", ("banned",), ""): Case("banned"),
    ("account", ("expired",), ""): Case("expired"),
    ("shards", ("connecting",), ""): Case("connecting", body=account_with(shards=2)),
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
BODIES: dict[str, Callable[[Partner], dict[str, Any]]] = {
    "two_step": only_body(pin="271828"),
    "backup": only_body(password="words"),
    "restore": saved_backup,
    "verify": only_body(code="1"),
}


def case_of(move: Transition) -> Case:
    case = SPECIAL_CASES.get((move.trigger, move.from_states, move.condition))
    condition = FOLLOWS_FROM_FACTS if move.to_state == FOLLOWS_FROM_FACTS else move.condition
    return case or CASES.get((move.trigger, condition)) or Case()


def starting_state(move: Transition, case: Case) -> str:
    """A state in which this transition is the first that matches."""
    if case.begins:
        return case.begins
    excluded = {
        name
        for other in (*OPERATOR_TRANSITIONS, *API_TRANSITIONS)
        for name in other.from_states
        if other.trigger == move.trigger and other is not move
    }
    free = [
        name for name in ("connected", "unregistered", "disconnected", "host_gone", *STATES) if name not in excluded
    ]
    return move.from_states[0] if move.from_states else free[0]


def move_id(move: Transition) -> str:
    return f"{move.trigger}-{','.join(move.from_states) or 'any'}-{move.condition or '-'}"


@pytest.mark.parametrize("move", [*OPERATOR_TRANSITIONS, *API_TRANSITIONS], ids=move_id)
async def test_every_transition_does_what_it_declares(move: Transition) -> None:
    case = case_of(move)
    partner = partner_with(case.row, case.world, **case.switches)
    await partner.onprem("GET", "health")
    begins = starting_state(move, case)
    for action in case.before or (REACH_STATE[begins],):
        await action(partner)
    partner.tokens.clear()
    before = await client_state(partner)
    assert before == begins
    status, error_code = await perform(partner, move, case)
    after = await client_state(partner)
    if move.refusal is not None:
        expected = move.refusal.code
        assert error_code == (
            getattr(partner.sandbox.world.switches, expected) if isinstance(expected, str) else expected
        )
    else:
        assert (status, error_code) == (move.status, None)
    assert after in STATES if move.to_state == FOLLOWS_FROM_FACTS else after == (move.to_state or before)


async def perform(partner: Partner, move: Transition, case: Case) -> tuple[int, int | None]:
    if move in OPERATOR_TRANSITIONS:
        url = f"/_sandbox/instances/{partner.row['instance']}"
        return (await partner.client.post(url, json={"do": move.trigger})).status_code, None
    method, path = PATHS[move.trigger]
    make_body = case.body or BODIES.get(move.trigger) or account_body
    response = await partner.onprem(method, path, **({"json": make_body(partner)} if method == "POST" else {}))
    return response.status_code, error_code_of(response)


def test_undocumented_error_codes_are_switches() -> None:
    """An error code that no page documents must come from a switch, so that software is tested with several codes."""
    guessed = [move for move in API_TRANSITIONS if move.source == "ours" and move.refusal is not None]
    assert guessed
    assert [move_id(move) for move in guessed if not isinstance(move.refusal and move.refusal.code, str)] == []


def test_operator_action_statuses() -> None:
    assert {move.status for move in OPERATOR_TRANSITIONS} == {200, FAILS}


# -- transitions caused from outside the client


async def register_with_bad_backup(partner: Partner) -> None:
    garbled = await partner.backup()
    await partner.register(backup=garbled | {"data": garbled["data"][::-1]})


async def deregister(partner: Partner) -> None:
    await partner.phone("POST", "deregister")


async def wait_five_seconds(partner: Partner) -> None:
    partner.clock.advance(seconds=5)


async def start_client(partner: Partner) -> None:
    await client_actions("start")(partner)


async def register_other_client(partner: Partner) -> None:
    spare = partner.row["spare"]
    login = await partner.client.post(f"{spare['onprem_url']}/v1/users/login", auth=("admin", spare["password"]))
    bearer = {"Authorization": f"Bearer {login.json()['users'][0]['token']}"}
    response = await partner.client.post(
        f"{spare['onprem_url']}/v1/account", json=account_body(partner), headers=bearer
    )
    assert response.status_code == 202
    verification = {"code": partner.sandbox.sms(partner.e164)[-1]}
    assert (
        await partner.client.post(f"{spare['onprem_url']}/v1/account/verify", json=verification, headers=bearer)
    ).is_success


EXTERNAL_CASES: dict[tuple[str, str], tuple[Action, Action]] = {
    ("Cloud register, right PIN", "moved"): (no_action, move_to_cloud),
    ("Cloud register, wrong PIN", "disconnected"): (no_action, register_with_wrong_pin),
    ("Cloud register, bad backup", ""): (no_action, register_with_bad_backup),
    ("Cloud deregister", "disconnected"): (move_to_cloud, deregister),
    ("another client registers", "disconnected"): (no_action, register_other_client),
    ("the start is over", "connecting"): (start_client, wait_five_seconds),
    ("the start is over", FOLLOWS_FROM_FACTS): (client_actions("wipe"), wait_five_seconds),
    ("WhatsApp lets it in", "connected"): (client_actions("coreapp_down", "coreapp_up"), wait_five_seconds),
    ("the build's date passes", "expired"): (no_action, let_client_expire),
    ("Meta bans the number", "banned"): (no_action, manager_action("ban")),
    ("Meta takes the ban back", "connected"): (manager_action("ban"), manager_action("reinstate")),
}


@pytest.mark.parametrize("move", OUTSIDE_TRANSITIONS, ids=move_id)
async def test_every_external_transition_does_what_it_declares(move: Transition) -> None:
    partner = partner_with("{kind: healthy, spare_client: true}")
    await partner.onprem("GET", "health")
    before, event = EXTERNAL_CASES[move.trigger, move.to_state]
    await before(partner)
    begins = await client_state(partner)
    assert begins in move.from_states
    await event(partner)
    state_after = partner.sandbox.world.describe(partner.number)["clients"][partner.row["instance"]]
    assert state_after == ("unregistered" if move.to_state == FOLLOWS_FROM_FACTS else move.to_state or begins)


async def test_slow_start_counts_as_outage() -> None:
    partner = partner_with()
    await start_client(partner)
    partner.clock.advance(seconds=60)
    assert (partner.number.side, partner.number.outage_s) == ("on_premises", 10)


async def test_starting_coreapp_answers_1011_and_locked_one_1031() -> None:
    partner = partner_with()
    message = {"to": "4915112345678", "type": "text", "text": {"body": "x"}}
    await client_actions("upgrade")(partner)
    assert error_code_of(await partner.onprem("POST", "messages", json=message)) == 1011
    await client_actions("upgraded", "wait", "lock")(partner)
    assert error_code_of(await partner.onprem("POST", "messages", json=message)) == 1031
    await manager_action("ban")(partner)
    assert error_code_of(await partner.onprem("POST", "messages", json=message)) == 1031
    await manager_action("reinstate")(partner)
    await client_actions("stop")(partner)
    with pytest.raises(httpx.ConnectError):
        await partner.onprem("POST", "messages", json=message)
