"""One reading of each side, and how long it may be reused."""

from dataclasses import dataclass
from typing import Any

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


@dataclass(slots=True)
class ReadingCache:
    """The readings that `check`, `probe` and `prepare` of one pass share.

    Cached for one pass only; discarded before any probe that follows a call.
    """

    both: BothSides | None = None
