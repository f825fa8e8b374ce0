"""One call to one On-Premises deployment, on its way to its node."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from sandbox.errors import OnPremRefusal
from sandbox.wire import Request
from sandbox.world.instance import Instance, User
from sandbox.world.world import World


@dataclass
class Visit:
    """One call to one deployment."""

    world: World
    instance: Instance
    request: Request
    path: tuple[str, ...]
    method: str  # HEAD is answered as GET
    user: User | None = None

    @cached_property
    def body(self) -> dict[str, Any]:
        """Raises 1009 for a body that is no JSON object; none at all, or `null`, is an empty one."""
        told = self.request.json()
        if told is None and self.request.body.strip() in (b"", b"null"):
            return {}
        if not isinstance(told, dict):
            raise OnPremRefusal(1009, "The body is not a JSON object")
        return told


# Gives an HTTP status and a body without its `meta`, or raises OnPremRefusal.
Handler = Callable[[Visit], tuple[int, Any]]


class Node(NamedTuple):
    """`coreapp`: the Webapp passes it on, so it answers 1014 while the Coreapp is down."""

    name: str
    run: Handler
    writes: bool = False
    admin: bool = False
    coreapp: bool = False
