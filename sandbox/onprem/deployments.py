"""What a caller of an On-Premises deployment meets: its operator's commands, and what its API needs.

What changes its state is in tables: `onprem_hands.py`, `onprem_account.py`, `onprem_backup.py`.
"""

from collections.abc import Mapping
from typing import Any, Final

from sandbox.errors import COREAPP_DOWN, NobodyThere, OnPremRefusal, Silence
from sandbox.onprem.account import REGISTRATION
from sandbox.onprem.backup import BACKUPS
from sandbox.onprem.operator_actions import ACTIONS, FAILS, HANDS
from sandbox.onprem.transitions import Deed, Move, take
from sandbox.world.client_states import State, state_of
from sandbox.world.instance import Instance
from sandbox.world.world import World

CALLS: Final[tuple[Move, ...]] = (*REGISTRATION, *BACKUPS)


def state(world: World, instance: Instance) -> State:
    number = world.number_of(instance)
    assert number is not None
    return state_of(instance, number, world.now())


def deed(world: World, instance: Instance, body: Mapping[str, Any] | None = None) -> Deed:
    number = world.number_of(instance)
    assert number is not None
    return Deed(world, instance, number, world.now(), body or {})


def act(world: World, instance: Instance, what: str) -> bool:
    """Whether it was done; a command that fails changes nothing. Raises ValueError: no such action."""
    if what not in ACTIONS:
        raise ValueError(f"an instance cannot {what!r}; it can: {', '.join(ACTIONS)}")
    return take(HANDS, what, deed(world, instance)).status != FAILS


def call(world: World, instance: Instance, trigger: str, body: Mapping[str, Any]) -> int:
    """The HTTP status. Raises OnPremRefusal."""
    return take(CALLS, trigger, deed(world, instance, body)).status


# -- what its API needs


def answers(world: World, instance: Instance) -> None:
    """Raises NobodyThere where a connection would be refused, Silence where it would lead nowhere."""
    if instance.firewalled:
        raise Silence
    if instance.host != "up":
        raise NobodyThere
    if instance.expired(world.now()) and world.switches.expired_client == "refuses_all":
        raise NobodyThere


def calls_back(world: World, queue: str) -> bool:
    """Whether this client posts webhooks now. What is queued when its number moves is undocumented: a switch."""
    instance = world.instances[queue.partition("#")[0]]
    if instance.host != "up" or not instance.coreapp_up or instance.expired(world.now()):
        return False
    return not instance.moved or world.switches.callbacks_after_move == "delivered"


def posted(world: World, queue: str, body: bytes, *, ok: bool) -> None:
    """Counts a webhook of this client, as `callback_requests` does: by what it told and whether it was taken."""
    told = "inbound_message" if b'"messages":' in body else "status_change"
    world.instances[queue.partition("#")[0]].posted[told, "ok" if ok else "error"] += 1


def lost(world: World, queue: str) -> bool:
    """Whether this callback queue is no more: kept in memory alone when its client was restarted."""
    return world.instances[queue.partition("#")[0]].queue != queue


def needs_coreapp(world: World, instance: Instance) -> None:
    """Raises 1014 where the Webapp answers alone, 1011 while it still starts."""
    dead = instance.expired(world.now()) and world.switches.expired_client == "coreapp_1014"
    if instance.starting(world.now()) and not dead:
        raise OnPremRefusal(1011, "The client is starting")
    if dead or not instance.coreapp_up or instance.needs_restart:
        raise OnPremRefusal(1014, COREAPP_DOWN)


def gateway_status(world: World, instance: Instance) -> str:
    """What the client says of itself; also whether it believes that it is registered follows from it."""
    found, switches = state(world, instance), world.switches
    if instance.moved and found.name in ("moved", "disconnected", "expired"):
        return "unregistered" if switches.health_after_move == "unregistered" else found.gateway
    if found.name in ("expired", "banned") and not (instance.registered or instance.moved):
        return "unregistered"
    return switches.health_when_banned if found.name == "banned" else found.gateway


def says_registered(world: World, instance: Instance) -> bool:
    """Whether support and settings still name its number: not where health says `unregistered`."""
    return (instance.registered or instance.moved) and gateway_status(world, instance) != "unregistered"
