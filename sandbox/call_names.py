"""The names of all calls, as faults and the record use them."""

from collections.abc import Iterator
from typing import Any

from sandbox.graph.apps import APP_CALLS, UPLOAD_CALLS
from sandbox.graph.other_reads import BUSINESS_CALLS
from sandbox.graph.phone_number import PHONE_CALLS
from sandbox.graph.waba import TEMPLATE_CALLS, WABA_CALLS
from sandbox.onprem.nodes import NODES
from sandbox.onprem.operator_actions import ACTIONS
from sandbox.world.senders import EVENTS

ANY = "*"
# Names that are in no table: those that depend on the parameters (`POST /{phone}`), and single routes.
BY_PARAMETERS = ("set_pin", "set_name", "set_webhook")
SINGLE = ("get.me", "get.debug_token", "get.access_token", "unknown", "onprem.unknown", "hook")


def names() -> list[str]:
    return sorted(set(_names()))


def _names() -> Iterator[str]:
    for table in (PHONE_CALLS, WABA_CALLS, TEMPLATE_CALLS, BUSINESS_CALLS, APP_CALLS, UPLOAD_CALLS):
        yield from (name for name, _, _ in table.values() if isinstance(name, str))
    yield from (f"onprem.{node.name}" for node in NODES.values())
    yield from (f"command.{action}" for action in ACTIONS)
    yield from (*EVENTS, *BY_PARAMETERS, *SINGLE)


def known(route: Any) -> bool:
    return route == ANY or route in names()
