"""The states of an On-Premises client, as a table: the first row that applies is the state of the client.

States are not stored: a state follows from facts about host, client and number. Their names, and what they show:
https://developers.facebook.com/docs/whatsapp/on-premises/reference/health (gateway_status)
https://developers.facebook.com/docs/whatsapp/api/support (socket_conn: UP, DN, SC while it connects)
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sandbox.world.instance import Instance
from sandbox.world.number import SimNumber

Applies = Callable[[Instance, SimNumber, datetime], bool]


@dataclass(frozen=True, slots=True)
class State:
    """`gateway`: the status in health; empty when health does not answer. `socket`: `socket_conn` in support.

    `serves`: the number's messages go through the client.
    """

    name: str
    means: str
    gateway: str
    socket: str
    applies: Applies
    serves: bool = False


def honoured(client: Instance, number: SimNumber) -> bool:
    """Whether Meta honours this client's registration: it honours only the newest one of a number."""
    return (
        number.platform == "ON_PREMISE"
        and number.live_instance == client.id
        and number.moving_until is None
        and not (number.cut_off or number.banned or number.deleted)
    )


def _connecting(client: Instance, number: SimNumber, at: datetime) -> bool:
    waiting = client.connects_until is not None and at < client.connects_until
    return waiting and honoured(client, number) and client.registered and not client.offline


def _serves(client: Instance, number: SimNumber, at: datetime) -> bool:
    return honoured(client, number) and client.running(at)


LIMITED = "RATE_LIMITED"  # Graph's `status` for a number with too many messages marked as spam
_TABLE = (
    State("host_gone", "there is no machine any more", "", "", lambda client, *_: client.host == "gone"),
    State("stopped", "the machine is there, nothing runs", "", "", lambda client, *_: client.host == "stopped"),
    State("expired", "the build is past its date", "disconnected", "DN", lambda client, _, at: client.expired(at)),
    State(
        "uninitialized",
        "it starts, or its database is being upgraded",
        "uninitialized",
        "UNK",
        lambda client, _, at: client.starting(at),
    ),
    State("coreapp_down", "the Webapp runs without a Coreapp", "", "", lambda client, *_: not client.coreapp_up),
    State("app_stopped", "a restore stopped the app until a restart", "", "", lambda client, *_: client.needs_restart),
    State("banned", "Meta banned the number", "disconnected", "DN", lambda _, number, __: number.banned),
    State("code_requested", "a code was requested", "unregistered", "DN", lambda client, *_: bool(client.pending)),
    State(
        "moved",
        "its number went to Cloud",
        "disconnected",
        "DN",
        lambda client, number, _: client.moved and number.platform == "CLOUD_API",
    ),
    State("connecting", "it is registered and connects to WhatsApp", "connecting", "SC", _connecting),
    State(
        "locked",
        "connected, and not allowed to send",
        "connected",
        "UP",
        lambda client, number, at: _serves(client, number, at) and number.locked,
        serves=True,
    ),
    State("connected", "it serves its number", "connected", "UP", _serves, serves=True),
    State(
        "unregistered",
        "it runs and holds no registration",
        "unregistered",
        "DN",
        lambda client, *_: not client.registered and not client.moved,
    ),
    State("disconnected", "registered, and Meta refuses its connection", "disconnected", "DN", lambda *_: True),
)
STATES: Mapping[str, State] = {state.name: state for state in _TABLE}


def state_of(client: Instance, number: SimNumber, at: datetime) -> State:
    return next(state for state in _TABLE if state.applies(client, number, at))
