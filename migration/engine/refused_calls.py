"""A refusal that is kept with its open attempt until both sides have shown what the call did.

A call that was refused may have had its effect all the same, and readings lag behind. So the refusal is recorded at
once, and decided about when the lag has passed.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from migration.errors import Rejected, Throttled, Transient
from migration.scrubbing.texts import as_safe


def record_of(exc: Transient | Rejected, at: datetime) -> dict[str, Any]:
    """The refusal as facts of the attempt; `refused` and `code` are what is shown of it."""
    record: dict[str, Any] = {"refused": str(exc), "code": None, "at": at.isoformat()}
    if isinstance(exc, Throttled):
        return record | {"retry_after_s": exc.retry_after.total_seconds()}
    if isinstance(exc, Rejected):
        wait_s = exc.retry_after.total_seconds() if exc.retry_after is not None else None
        return record | {"code": exc.error_code, "subcode": exc.error_subcode, "details": exc.details, "wait_s": wait_s}
    return record


def refused_at(record: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(str(record["at"]))


def error_of(record: Mapping[str, Any]) -> Transient | Rejected:
    """The error that the record was made of, without its trace."""
    message = str(record["refused"])
    if "retry_after_s" in record:
        return Throttled(message, timedelta(seconds=float(record["retry_after_s"])))
    if "details" not in record:
        return Transient(message, answered=True)
    wait = timedelta(seconds=float(record["wait_s"])) if record["wait_s"] is not None else None
    return Rejected(message, record["code"], as_safe(record["details"]), record["subcode"], wait)
