"""What changes the state of an On-Premises client, as data: rows of (trigger, from) -> (to, response, source).

The first row of a trigger that matches decides: it changes facts, and the state follows from them
(`world/client_states.py`). The rows are in `operator_actions.py`, `account.py` and `backup.py`. Changes from outside
are listed in `outside_changes.py`, so that the whole table can be read and tested.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sandbox.errors import OnPremRefusal
from sandbox.switches import Switches
from sandbox.world.client_states import state_of
from sandbox.world.instance import Instance
from sandbox.world.number import SimNumber
from sandbox.world.world import World

# The `to_state` of a row whose new state depends on facts that the row does not name.
FOLLOWS_FROM_FACTS = "as its other facts say"
DENIED = 1005


@dataclass(slots=True)
class TransitionContext:
    """What a row is applied to: the client and its number, the time, and the body of the call."""

    world: World
    client: Instance
    number: SimNumber
    at: datetime
    body: Mapping[str, Any] = field(default_factory=dict)

    @property
    def state(self) -> str:
        return state_of(self.client, self.number, self.at).name


@dataclass(frozen=True, slots=True)
class RefusalSpec:
    """A refusal as a row has it. A text as `code` or `status` is the name of the switch that decides it.

    `fixed`: a page gives the HTTP status.
    """

    code: int | str
    details: str
    status: int | str | None = None
    fixed: bool = False

    def exception(self, switches: Switches) -> OnPremRefusal:
        """The refusal with the error code and the status that the switches choose."""
        code = getattr(switches, self.code) if isinstance(self.code, str) else self.code
        status: int | None = getattr(switches, self.status) if isinstance(self.status, str) else self.status
        fixed = self.fixed or isinstance(self.status, str)
        if status is None and code == DENIED:
            status = 403  # the caller is logged in; 401 would make it log in again
        return OnPremRefusal(code, self.details, status, fixed=fixed)


def always(_: TransitionContext) -> bool:
    return True


def change_nothing(_: TransitionContext) -> None:
    """For a row that changes no fact."""


@dataclass(frozen=True, slots=True)
class Transition:
    """One row. Empty `from_states`: from any state. Empty `to_state`: the state stays as it is.

    `status`: the HTTP status, or 409 for a command that fails. `condition`: what `applies` tests, in words.
    """

    trigger: str
    from_states: tuple[str, ...]
    to_state: str
    source: str
    status: int = 200
    refusal: RefusalSpec | None = None
    condition: str = ""
    applies: Callable[[TransitionContext], bool] = always
    change: Callable[[TransitionContext], None] = change_nothing

    def matches(self, context: TransitionContext) -> bool:
        return (not self.from_states or context.state in self.from_states) and self.applies(context)


def apply_first(rows: Sequence[Transition], trigger: str, context: TransitionContext) -> Transition:
    """Applies the first row of the trigger that matches. Raises OnPremRefusal when that row refuses.

    A row that refuses may change facts all the same.
    """
    row = next(row for row in rows if row.trigger == trigger and row.matches(context))
    with context.world.changing(context.number, context.at):
        row.change(context)
    if row.refusal is not None:
        raise row.refusal.exception(context.world.switches)
    return row


# -- facts that several rows change


def begin_start(context: TransitionContext) -> None:
    """The client starts. It is `uninitialized` first, then `connecting`, as long as the switches say."""
    client, switches = context.client, context.world.switches
    client.up_since = context.at
    client.starts_until = context.at + timedelta(seconds=switches.client_start_s)
    client.connects_until = client.starts_until + timedelta(seconds=switches.client_connect_s)
    client.settings_at_start = dict(client.settings)


def begin_connecting(context: TransitionContext) -> None:
    context.client.connects_until = context.at + timedelta(seconds=context.world.switches.client_connect_s)


def hold_registration(context: TransitionContext) -> None:
    """Meta honours this client's registration from now on, and no other client's of the number."""
    number, client = context.number, context.client
    number.platform, number.live_instance, number.cut_off = "ON_PREMISE", client.id, False
    client.registered, client.moved = True, False
    begin_connecting(context)
