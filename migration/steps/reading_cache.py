"""One look at each side, and how far it is handed on."""

from dataclasses import dataclass
from typing import Any

from migration.clients.graph_models import CloudNumber
from migration.clients.onprem import OnPremReading, Reading


@dataclass(frozen=True, slots=True)
class BothSides:
    """One look at each side."""

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


@dataclass(slots=True)
class ReadingCache:
    """What a step has seen since it began to look: `check`, `probe` and `prepare` of one pass share it.

    Never older than the lease for reading, and void with every call and every later probe of it: what a call did is
    read anew.
    """

    both: BothSides | None = None
