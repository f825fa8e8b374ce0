"""One call to one On-Premises deployment, on its way to its node."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from migration.sandbox.instance import Instance, User
from migration.sandbox.wire import Request
from migration.sandbox.world import World


@dataclass
class Visit:
    """One call to one deployment."""

    world: World
    instance: Instance
    request: Request
    path: tuple[str, ...]
    user: User | None = None

    @cached_property
    def body(self) -> dict[str, Any]:
        told = self.request.json()
        return told if isinstance(told, dict) else {}
