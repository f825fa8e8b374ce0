"""What an On-Premises deployment does: the commands of its operator, and what every call to its API depends on.

The tables of what changes its state are in `operator_actions.py`, `account.py` and `backup.py`.
"""

from collections.abc import Mapping
from typing import Any, Final

from sandbox.errors import COREAPP_DOWN, ConnectionRefused, NoResponse, OnPremRefusal
from sandbox.onprem.account import ACCOUNT_TRANSITIONS
from sandbox.onprem.backup import BACKUP_TRANSITIONS
from sandbox.onprem.operator_actions import ACTIONS, FAILS, OPERATOR_TRANSITIONS
from sandbox.onprem.transitions import Transition, TransitionContext, apply_first
from sandbox.world.client_states import State, state_of
from sandbox.world.instance import Instance
from sandbox.world.world import World

API_TRANSITIONS: Final[tuple[Transition, ...]] = (*ACCOUNT_TRANSITIONS, *BACKUP_TRANSITIONS)


def state_now(world: World, instance: Instance) -> State:
    number = world.number_of(instance)
    assert number is not None
    return state_of(instance, number, world.now())


def transition_context(world: World, instance: Instance, body: Mapping[str, Any] | None = None) -> TransitionContext:
    number = world.number_of(instance)
    assert number is not None
    return TransitionContext(world, instance, number, world.now(), body or {})


def run_action(world: World, instance: Instance, action: str) -> bool:
    """Whether the command succeeded; one that fails changes nothing. Raises ValueError for an unknown action."""
    if action not in ACTIONS:
        raise ValueError(f"an instance cannot {action!r}; it can: {', '.join(ACTIONS)}")
    return apply_first(OPERATOR_TRANSITIONS, action, transition_context(world, instance)).status != FAILS


def run_call(world: World, instance: Instance, trigger: str, body: Mapping[str, Any]) -> int:
    """Applies a call to the client's state; returns the HTTP status. Raises OnPremRefusal."""
    return apply_first(API_TRANSITIONS, trigger, transition_context(world, instance, body)).status


# -- what its API depends on


def check_reachable(world: World, instance: Instance) -> None:
    """Raises ConnectionRefused when nothing listens, NoResponse when a firewall drops every packet."""
    if instance.firewalled:
        raise NoResponse
    if instance.host != "up":
        raise ConnectionRefused
    if instance.expired(world.now()) and world.switches.expired_client == "refuses_all":
        raise ConnectionRefused


def posts_webhooks(world: World, queue: str) -> bool:
    """Whether this client posts its webhooks now.

    What happens to webhooks that are queued when the number moves is undocumented: switch `callbacks_after_move`.
    """
    instance = world.instances[queue.partition("#")[0]]
    if instance.host != "up" or not instance.coreapp_up or instance.expired(world.now()):
        return False
    return not instance.moved or world.switches.callbacks_after_move == "delivered"


def count_webhook(world: World, queue: str, body: bytes, *, ok: bool) -> None:
    """Counts a webhook of this client for the metric `callback_requests`: by its type and by its result."""
    kind = "inbound_message" if b'"messages":' in body else "status_change"
    world.instances[queue.partition("#")[0]].posted[kind, "ok" if ok else "error"] += 1


def queue_is_lost(world: World, queue: str) -> bool:
    """Whether this callback queue is lost: it was in memory only, and its client was restarted."""
    return world.instances[queue.partition("#")[0]].queue != queue


def needs_coreapp(world: World, instance: Instance) -> None:
    """Raises 1014 when the Coreapp is down, 1011 while the client starts."""
    dead = instance.expired(world.now()) and world.switches.expired_client == "coreapp_1014"
    if instance.starting(world.now()) and not dead:
        raise OnPremRefusal(1011, "The client is starting")
    if dead or not instance.coreapp_up or instance.needs_restart:
        raise OnPremRefusal(1014, COREAPP_DOWN)


def gateway_status(world: World, instance: Instance) -> str:
    """The status that health shows; `shows_registered` depends on it too."""
    state, switches = state_now(world, instance), world.switches
    if instance.moved and state.name in ("moved", "disconnected", "expired"):
        return "unregistered" if switches.health_after_move == "unregistered" else state.gateway
    if state.name in ("expired", "banned") and not (instance.registered or instance.moved):
        return "unregistered"
    return switches.health_when_banned if state.name == "banned" else state.gateway


def shows_registered(world: World, instance: Instance) -> bool:
    """Whether support and settings still name the client's number: unless health shows `unregistered`."""
    return (instance.registered or instance.moved) and gateway_status(world, instance) != "unregistered"
