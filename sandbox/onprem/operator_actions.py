"""What an operator, or a test, does at an On-Premises client, as rows of the table of transitions.

A command that fails changes nothing.
"""

from typing import Final

from sandbox.onprem.transitions import (
    FOLLOWS_FROM_FACTS,
    Transition,
    TransitionContext,
    begin_connecting,
    begin_start,
)
from sandbox.world.client_states import LIMITED, honoured
from sandbox.world.number import LOCKED

HEALTH = "https://developers.facebook.com/docs/whatsapp/on-premises/reference/health"
ERRORS = "https://developers.facebook.com/docs/whatsapp/api/errors"
SHARDS = "https://developers.qodex.ai/whatsapp-business-platform/whatsapp-on-premises-api-deprecated/set-shards"
OURS = "ours"
FAILS = 409


def _start(context: TransitionContext) -> None:
    """Also a restart: callbacks that were kept in memory only are lost."""
    client, number = context.client, context.number
    if not client.effective_settings()["callback_persist"]:
        client.lose_queue(context.at)
    client.host, client.coreapp_up, client.needs_restart, client.upgrading = "up", True, False, False
    begin_start(context)
    heals = context.world.switches.restart_heals_wrong_pin == "yes"
    if number.cut_off and heals and number.live_instance == client.id:
        number.cut_off, number.platform = False, "ON_PREMISE"


def _stop(context: TransitionContext) -> None:
    context.client.host = "stopped"


def _lose_host(context: TransitionContext) -> None:
    context.client.host = "gone"


def _bring_host_back(context: TransitionContext) -> None:
    context.client.host = "up"
    begin_start(context)


def _coreapp_down(context: TransitionContext) -> None:
    context.client.coreapp_up = False


def _coreapp_up(context: TransitionContext) -> None:
    context.client.coreapp_up = True
    begin_connecting(context)


def _wipe(context: TransitionContext) -> None:
    """Replaces the node by a clean one: the client runs and holds no registration."""
    client = context.client
    client.host, client.coreapp_up, client.registered = "up", True, False
    client.moved = client.needs_restart = client.upgrading = client.offline = client.certificate_expired = False
    client.tokens.clear()
    client.pending.clear()
    client.outgoing = None
    client.certificates.clear()
    client.providers.clear()
    client.settings = {}
    client.callbacks.stuck = False
    client.lose_queue(context.at)
    begin_start(context)


def _begin_upgrade(context: TransitionContext) -> None:
    context.client.upgrading = True


def _end_upgrade(context: TransitionContext) -> None:
    context.client.upgrading = False
    begin_connecting(context)


def _go_offline(context: TransitionContext) -> None:
    context.client.offline = True


def _go_online(context: TransitionContext) -> None:
    context.client.offline = False
    begin_connecting(context)


def _lock(context: TransitionContext) -> None:
    context.number.health_problem = LOCKED


def _unlock(context: TransitionContext) -> None:
    context.number.health_problem = None


def _flag_as_spam(context: TransitionContext) -> None:
    context.number.flagged = LIMITED


def _remove_spam_flag(context: TransitionContext) -> None:
    context.number.flagged = None


def _flagged_as_spam(context: TransitionContext) -> bool:
    return context.number.flagged == LIMITED


def _pile_up_callbacks(context: TransitionContext) -> None:
    callbacks = context.client.callbacks
    callbacks.settle(context.at)
    callbacks.stuck, callbacks.size = True, float(max(callbacks.size, context.world.switches.overload_at))


def _drain_callbacks(context: TransitionContext) -> None:
    context.client.callbacks.settle(context.at)
    context.client.callbacks.stuck = False


def _set(trigger: str, source: str, name: str, value: bool) -> Transition:
    return Transition(trigger, (), "", source, change=lambda context: setattr(context.client, name, value))


def _stop_fails(context: TransitionContext) -> bool:
    return not context.client.stop_works


def _expired(context: TransitionContext) -> bool:
    return context.client.expired(context.at)


def _honoured(context: TransitionContext) -> bool:
    return context.client.registered and honoured(context.client, context.number)


def _offline_and_registered(context: TransitionContext) -> bool:
    return context.client.offline and _honoured(context)


EXPIRED, REGISTERED = "its build is past its date", "its registration counts"
# fmt: off
RUNNING_STATES = (
    "banned", "moved", "connecting", "locked", "connected", "code_requested", "unregistered", "disconnected",
    "app_stopped",
)
OPERATOR_TRANSITIONS: Final[tuple[Transition, ...]] = (
    Transition("stop", (), "", OURS, FAILS, condition="its stop command fails", applies=_stop_fails),
    Transition("stop", ("host_gone",), "", OURS),
    Transition("stop", (), "stopped", OURS, change=_stop),
    Transition("start", ("host_gone",), "", OURS, FAILS),
    Transition("start", (), "expired", HEALTH, condition=EXPIRED, applies=_expired, change=_start),
    Transition("start", (), "uninitialized", HEALTH, change=_start),
    Transition("coreapp_down", RUNNING_STATES, "coreapp_down", HEALTH, change=_coreapp_down),
    Transition("coreapp_down", (), "", HEALTH, change=_coreapp_down),
    Transition("coreapp_up", ("coreapp_down",), "connecting", HEALTH, condition=REGISTERED, applies=_honoured,
               change=_coreapp_up),
    Transition("coreapp_up", ("coreapp_down",), FOLLOWS_FROM_FACTS, HEALTH, change=_coreapp_up),
    Transition("coreapp_up", (), "", HEALTH, change=lambda context: setattr(context.client, "coreapp_up", True)),
    Transition("gone", (), "host_gone", OURS, change=_lose_host),
    Transition("back", ("host_gone", "stopped"), "expired", HEALTH, condition=EXPIRED, applies=_expired,
               change=_bring_host_back),
    Transition("back", ("host_gone", "stopped"), "uninitialized", HEALTH, change=_bring_host_back),
    Transition("back", (), "", OURS),
    Transition("wipe", (), "expired", HEALTH, condition=EXPIRED, applies=_expired, change=_wipe),
    Transition("wipe", (), "uninitialized", HEALTH, change=_wipe),
    Transition("upgrade", (*RUNNING_STATES, "coreapp_down"), "uninitialized", HEALTH, change=_begin_upgrade),
    Transition("upgrade", (), "", HEALTH, change=_begin_upgrade),
    Transition("upgraded", ("uninitialized",), "connecting", HEALTH, condition=REGISTERED, applies=_honoured,
               change=_end_upgrade),
    Transition("upgraded", ("uninitialized",), FOLLOWS_FROM_FACTS, HEALTH, change=_end_upgrade),
    Transition("upgraded", (), "", HEALTH, change=lambda context: setattr(context.client, "upgrading", False)),
    Transition("offline", ("connected", "connecting", "locked"), "disconnected", HEALTH, change=_go_offline),
    Transition("offline", (), "", HEALTH, change=_go_offline),
    Transition("online", ("disconnected",), "connecting", HEALTH, condition="it was offline",
               applies=_offline_and_registered, change=_go_online),
    Transition("online", (), "", HEALTH, change=lambda context: setattr(context.client, "offline", False)),
    Transition("lock", ("connected",), "locked", ERRORS, change=_lock),
    Transition("lock", (), "", ERRORS, change=_lock),
    Transition("unlock", ("locked",), "connected", ERRORS, change=_unlock),
    Transition("unlock", (), "", ERRORS, change=_unlock),
    Transition("spam_limit", (), "", ERRORS, change=_flag_as_spam),
    Transition("spam_limit_over", (), "", ERRORS, condition="there is one", applies=_flagged_as_spam,
               change=_remove_spam_flag),
    Transition("spam_limit_over", (), "", ERRORS),
    _set("certificate_expires", SHARDS, "certificate_expired", True),
    Transition("callbacks_pile_up", (), "", ERRORS, change=_pile_up_callbacks),
    Transition("callbacks_drain", (), "", OURS, change=_drain_callbacks),
    _set("backup_fails", OURS, "backup_works", False),
    _set("backup_works", OURS, "backup_works", True),
    _set("firewall_up", OURS, "firewalled", True),
    _set("firewall_down", OURS, "firewalled", False),
)
# fmt: on
ACTIONS: Final[tuple[str, ...]] = tuple(dict.fromkeys(row.trigger for row in OPERATOR_TRANSITIONS))
