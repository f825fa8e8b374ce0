"""What moves an On-Premises client from state to state, as data: rows of (trigger, from) -> (to, answer, source).

The first row of a trigger that fits decides: it changes facts, and the state follows from them (`onprem_states.py`).
The rows are in `onprem_hands.py`, `onprem_account.py` and `onprem_backup.py`; those that happen on Meta's side are
told beside them (`onprem_elsewhere.py`), so that the whole table can be read and walked.
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

# Where a row ends when that follows from what was before.
FACTS = "as its other facts say"
DENIED = 1005


@dataclass(slots=True)
class Deed:
    """One trigger on its way: who, when, and what the call brought along."""

    world: World
    client: Instance
    number: SimNumber
    at: datetime
    body: Mapping[str, Any] = field(default_factory=dict)

    @property
    def state(self) -> str:
        return state_of(self.client, self.number, self.at).name


@dataclass(frozen=True, slots=True)
class No:
    """A refusal. A text for `code` or `status` names the switch that has it. `fixed`: a page gives `status`."""

    code: int | str
    details: str
    status: int | str | None = None
    fixed: bool = False

    def said(self, switches: Switches) -> OnPremRefusal:
        code = getattr(switches, self.code) if isinstance(self.code, str) else self.code
        status: int | None = getattr(switches, self.status) if isinstance(self.status, str) else self.status
        fixed = self.fixed or isinstance(self.status, str)
        if status is None and code == DENIED:
            status = 403  # who came as far as this is logged in; 401 would send them to log in again
        return OnPremRefusal(code, self.details, status, fixed=fixed)


def always(_: Deed) -> bool:
    return True


def nothing(_: Deed) -> None:
    """The row changes no fact."""


@dataclass(frozen=True, slots=True)
class Move:
    """`begins` empty: from any state. `ends` empty: it stays where it is. `status`: HTTP, or 409 for a command that
    fails. `when`: what `holds` asks, in words."""

    trigger: str
    begins: tuple[str, ...]
    ends: str
    source: str
    status: int = 200
    no: No | None = None
    when: str = ""
    holds: Callable[[Deed], bool] = always
    do: Callable[[Deed], None] = nothing

    def fits(self, deed: Deed) -> bool:
        return (not self.begins or deed.state in self.begins) and self.holds(deed)


def take(moves: Sequence[Move], trigger: str, deed: Deed) -> Move:
    """Raises OnPremRefusal where the row refuses; it may have its effect all the same."""
    found = next(move for move in moves if move.trigger == trigger and move.fits(deed))
    with deed.world.changing(deed.number, deed.at):
        found.do(deed)
    if found.no is not None:
        raise found.no.said(deed.world.switches)
    return found


# -- facts that several rows change


def begins(deed: Deed) -> None:
    """The client starts: it takes its time, and then some more until it is connected."""
    client, switches = deed.client, deed.world.switches
    client.up_since = deed.at
    client.starts_until = deed.at + timedelta(seconds=switches.client_start_s)
    client.connects_until = client.starts_until + timedelta(seconds=switches.client_connect_s)
    client.settings_at_start = dict(client.settings)


def connects(deed: Deed) -> None:
    deed.client.connects_until = deed.at + timedelta(seconds=deed.world.switches.client_connect_s)


def hold_registration(deed: Deed) -> None:
    """Meta honours this client's registration from now on, and no other client's of the number."""
    number, client = deed.number, deed.client
    number.platform, number.live_instance, number.cut_off = "ON_PREMISE", client.id, False
    client.registered, client.moved = True, False
    connects(deed)
