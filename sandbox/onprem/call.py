"""One call to the API of an On-Premises client, and the node that handles it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from sandbox.errors import OnPremRefusal
from sandbox.wire import Request
from sandbox.world.instance import Instance, User
from sandbox.world.world import World


@dataclass
class OnPremCall:
    """One call to one client. `user`: who is logged in, once that is checked."""

    world: World
    instance: Instance
    request: Request
    path: tuple[str, ...]
    method: str  # HEAD is answered as GET
    user: User | None = None

    @cached_property
    def body(self) -> dict[str, Any]:
        """No body, or `null`, is an empty object. Raises 1009 for a body that is no JSON object."""
        body = self.request.json()
        if body is None and self.request.body.strip() in (b"", b"null"):
            return {}
        if not isinstance(body, dict):
            raise OnPremRefusal(1009, "The body is not a JSON object")
        return body


# Returns the HTTP status and the body without its `meta`. Raises OnPremRefusal.
Handler = Callable[[OnPremCall], tuple[int, Any]]


class Node(NamedTuple):
    """One route. `coreapp`: the Webapp passes the call on, so it answers 1014 while the Coreapp is down."""

    name: str
    run: Handler
    writes: bool = False
    admin: bool = False
    coreapp: bool = False
