"""What a person is told of, as rows that leave the package."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

NUMBERS = "\0"  # in a title, before it is written down: the numbers that it concerns; no name has this sign


class NoticeKind(StrEnum):
    """Why a message about a cause is sent."""

    OPENED = "opened"
    CHANGED = "changed"  # it concerns a number that the last message did not name
    REMINDER = "reminder"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class FoundCause:
    """Something that a person has to know of, as the record shows it now. Two findings with one `key` are one."""

    key: str
    kind: str
    title: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CauseRow:
    id: int
    key: str
    kind: str
    title: str
    lines: Sequence[str]
    opened_at: datetime
    resolved_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None


@dataclass(frozen=True, slots=True)
class NoticeRow:
    id: int
    cause_id: int
    target: str
    place: int
    kind: NoticeKind
    title: str
    lines: Sequence[str]
    made_at: datetime
    sent_at: datetime | None
    tries: int
    try_at: datetime
    error: str | None
