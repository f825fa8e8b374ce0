"""What an operator's hands do at an On-Premises client, as rows. A command that fails changes nothing."""

from typing import Final

from sandbox.onprem.transitions import FACTS, Deed, Move, begins, connects
from sandbox.world.client_states import LIMITED, honoured
from sandbox.world.number import LOCKED

HEALTH = "https://developers.facebook.com/docs/whatsapp/on-premises/reference/health"
ERRORS = "https://developers.facebook.com/docs/whatsapp/api/errors"
SHARDS = "https://developers.qodex.ai/whatsapp-business-platform/whatsapp-on-premises-api-deprecated/set-shards"
OURS = "ours"
FAILS = 409


def _start(deed: Deed) -> None:
    """Also a restart: what was written to memory alone is lost."""
    client, number = deed.client, deed.number
    if not client.in_effect()["callback_persist"]:
        client.lose_queue(deed.at)
    client.host, client.coreapp_up, client.needs_restart, client.upgrading = "up", True, False, False
    begins(deed)
    heals = deed.world.switches.restart_heals_wrong_pin == "yes"
    if number.cut_off and heals and number.live_instance == client.id:
        number.cut_off, number.platform = False, "ON_PREMISE"


def _stop(deed: Deed) -> None:
    deed.client.host = "stopped"


def _gone(deed: Deed) -> None:
    deed.client.host = "gone"


def _back(deed: Deed) -> None:
    deed.client.host = "up"
    begins(deed)


def _coreapp_down(deed: Deed) -> None:
    deed.client.coreapp_up = False


def _coreapp_up(deed: Deed) -> None:
    deed.client.coreapp_up = True
    connects(deed)


def _wipe(deed: Deed) -> None:
    """A clean node in the old one's place: the client runs and holds no registration."""
    client = deed.client
    client.host, client.coreapp_up, client.registered = "up", True, False
    client.moved = client.needs_restart = client.upgrading = client.offline = client.certificate_expired = False
    client.tokens.clear()
    client.pending.clear()
    client.outgoing = None
    client.certificates.clear()
    client.providers.clear()
    client.settings = {}
    client.callbacks.stuck = False
    client.lose_queue(deed.at)
    begins(deed)


def _upgrade(deed: Deed) -> None:
    deed.client.upgrading = True


def _upgraded(deed: Deed) -> None:
    deed.client.upgrading = False
    connects(deed)


def _offline(deed: Deed) -> None:
    deed.client.offline = True


def _online(deed: Deed) -> None:
    deed.client.offline = False
    connects(deed)


def _lock(deed: Deed) -> None:
    deed.number.health_problem = LOCKED


def _unlock(deed: Deed) -> None:
    deed.number.health_problem = None


def _limit(deed: Deed) -> None:
    deed.number.flagged = LIMITED


def _unlimit(deed: Deed) -> None:
    deed.number.flagged = None


def _limited(deed: Deed) -> bool:
    return deed.number.flagged == LIMITED


def _pile_up(deed: Deed) -> None:
    callbacks = deed.client.callbacks
    callbacks.settle(deed.at)
    callbacks.stuck, callbacks.size = True, float(max(callbacks.size, deed.world.switches.overload_at))


def _drain(deed: Deed) -> None:
    deed.client.callbacks.settle(deed.at)
    deed.client.callbacks.stuck = False


def _set(trigger: str, source: str, name: str, value: bool) -> Move:
    return Move(trigger, (), "", source, do=lambda deed: setattr(deed.client, name, value))


def _wired(deed: Deed) -> bool:
    return not deed.client.stop_works


def _past(deed: Deed) -> bool:
    return deed.client.expired(deed.at)


def _registered(deed: Deed) -> bool:
    return deed.client.registered and honoured(deed.client, deed.number)


def _cut(deed: Deed) -> bool:
    return deed.client.offline and _registered(deed)


PAST, REGISTERED = "its build is past its date", "its registration counts"
# fmt: off
RUNS = (
    "banned", "moved", "connecting", "locked", "connected", "code_requested", "unregistered", "disconnected",
    "app_stopped",
)
HANDS: Final[tuple[Move, ...]] = (
    Move("stop", (), "", OURS, FAILS, when="its stop command fails", holds=_wired),
    Move("stop", ("host_gone",), "", OURS),
    Move("stop", (), "stopped", OURS, do=_stop),
    Move("start", ("host_gone",), "", OURS, FAILS),
    Move("start", (), "expired", HEALTH, when=PAST, holds=_past, do=_start),
    Move("start", (), "uninitialized", HEALTH, do=_start),
    Move("coreapp_down", RUNS, "coreapp_down", HEALTH, do=_coreapp_down),
    Move("coreapp_down", (), "", HEALTH, do=_coreapp_down),
    Move("coreapp_up", ("coreapp_down",), "connecting", HEALTH, when=REGISTERED, holds=_registered, do=_coreapp_up),
    Move("coreapp_up", ("coreapp_down",), FACTS, HEALTH, do=_coreapp_up),
    Move("coreapp_up", (), "", HEALTH, do=lambda deed: setattr(deed.client, "coreapp_up", True)),
    Move("gone", (), "host_gone", OURS, do=_gone),
    Move("back", ("host_gone", "stopped"), "expired", HEALTH, when=PAST, holds=_past, do=_back),
    Move("back", ("host_gone", "stopped"), "uninitialized", HEALTH, do=_back),
    Move("back", (), "", OURS),
    Move("wipe", (), "expired", HEALTH, when=PAST, holds=_past, do=_wipe),
    Move("wipe", (), "uninitialized", HEALTH, do=_wipe),
    Move("upgrade", (*RUNS, "coreapp_down"), "uninitialized", HEALTH, do=_upgrade),
    Move("upgrade", (), "", HEALTH, do=_upgrade),
    Move("upgraded", ("uninitialized",), "connecting", HEALTH, when=REGISTERED, holds=_registered, do=_upgraded),
    Move("upgraded", ("uninitialized",), FACTS, HEALTH, do=_upgraded),
    Move("upgraded", (), "", HEALTH, do=lambda deed: setattr(deed.client, "upgrading", False)),
    Move("offline", ("connected", "connecting", "locked"), "disconnected", HEALTH, do=_offline),
    Move("offline", (), "", HEALTH, do=_offline),
    Move("online", ("disconnected",), "connecting", HEALTH, when="it was offline", holds=_cut, do=_online),
    Move("online", (), "", HEALTH, do=lambda deed: setattr(deed.client, "offline", False)),
    Move("lock", ("connected",), "locked", ERRORS, do=_lock),
    Move("lock", (), "", ERRORS, do=_lock),
    Move("unlock", ("locked",), "connected", ERRORS, do=_unlock),
    Move("unlock", (), "", ERRORS, do=_unlock),
    Move("spam_limit", (), "", ERRORS, do=_limit),
    Move("spam_limit_over", (), "", ERRORS, when="there is one", holds=_limited, do=_unlimit),
    Move("spam_limit_over", (), "", ERRORS),
    _set("certificate_expires", SHARDS, "certificate_expired", True),
    Move("callbacks_pile_up", (), "", ERRORS, do=_pile_up),
    Move("callbacks_drain", (), "", OURS, do=_drain),
    _set("backup_fails", OURS, "backup_works", False),
    _set("backup_works", OURS, "backup_works", True),
    _set("firewall_up", OURS, "firewalled", True),
    _set("firewall_down", OURS, "firewalled", False),
)
# fmt: on
ACTIONS: Final[tuple[str, ...]] = tuple(dict.fromkeys(move.trigger for move in HANDS))
