"""One reading of each side, and how long it may be reused."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import SecretStr

from migration.clients.graph_models import CloudNumber
from migration.clients.onprem_reading import OnPremReading, Reading


@dataclass(frozen=True, slots=True)
class BothSides:
    """One reading of each side."""

    cloud: CloudNumber
    onprem: OnPremReading | None  # None: the number has no instance that we know of

    @property
    def serving(self) -> bool:
        return self.onprem is not None and self.onprem.kind is Reading.SERVING

    @property
    def kind(self) -> str:
        return self.onprem.kind.value if self.onprem is not None else "no instance"

    def facts(self) -> dict[str, Any]:
        return {
            "cloud_status": str(self.cloud.status),
            "cloud_platform": str(self.cloud.platform_type),
            "onprem": self.kind,
        }


@dataclass(frozen=True, slots=True)
class GraphReading:
    """What Graph showed of the number, and when it had been read."""

    cloud: CloudNumber
    at: datetime


@dataclass(slots=True)
class ReadingCache:
    """The readings that `check`, `probe` and `prepare` of one pass share.

    Cached for one pass only; discarded before any probe that follows a call. `graph` alone goes on to the next step
    while no call is made, for readings that may be a moment old; of a number that is dark, both do.
    """

    both: BothSides | None = None
    graph: GraphReading | None = None
    # What the last step of this run read to prove that the number is off On-Premises, as old as `graph`: it is dark
    # since, and no call of ours has followed.
    proof: BothSides | None = None
    secrets: dict[str, SecretStr | None] = field(default_factory=dict)  # by name, as they were opened

    def for_next_step(self, *, dark: bool) -> "ReadingCache":
        """What goes on to the next step. `dark`: the readings have shown the number on neither side."""
        return ReadingCache(graph=self.graph, proof=(self.both or self.proof) if dark else None)

    def discard(self) -> None:
        """After a call: what was read before it says nothing about now."""
        self.both = self.graph = self.proof = None
        self.secrets.clear()
