"""Can this number go back to On-Premises now, and why or why not? Assessed before the cutover and after it."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from migration.steps.sunset import SUNSET
from state.enums import Side
from state.rows import Position

if TYPE_CHECKING:
    from migration.steps.number import Number

# The name of the finding that a preflight leaves beside the results of the steps.
PREFLIGHT = "preflight"


class RollbackState(StrEnum):
    OPEN = "open"
    CLOSED = "closed"
    UNKNOWN = "unknown"  # nobody has measured it: it is tried, and the number comes forward again where it fails


@dataclass(frozen=True, slots=True)
class RollbackOption:
    state: RollbackState
    reason: str

    def __str__(self) -> str:
        return f"{self.state}: {self.reason}"


def summarize_rollbacks(options: Iterable[RollbackOption]) -> str:
    """`2 closed (its On-Premises client expired on 2025-10-23), 1 unknown (...)`; `none` of no numbers."""
    counts = sorted(
        Counter(options).items(), key=lambda item: (list(RollbackState).index(item[0].state), item[0].reason)
    )
    return ", ".join(f"{count} {option.state} ({option.reason})" for option, count in counts) or "none"


@dataclass(frozen=True, slots=True)
class RollbackFacts:
    """What the answer depends on."""

    instance: bool
    serves: bool  # by our last reading it is On-Premises that serves the number
    expires_at: datetime | None
    fact: str | None  # onprem_registration, as measured: "open", "blocked", or not at all
    verified: bool | None  # Graph shows the number's code status so; None: not read yet
    stopped: bool = False  # we stopped its client, and nothing that could register it elsewhere was sent since

    @classmethod
    def of(
        cls, at: Position, snapshot: Mapping[str, Any], facts: Mapping[str, str], *, stopped: bool = False
    ) -> "RollbackFacts":
        """From what is on record, without reading either side."""
        expires_at = snapshot.get("expires_at")
        return cls(
            at.instance is not None,
            at.side is Side.ON_PREMISES,
            datetime.fromisoformat(str(expires_at)) if expires_at else None,
            facts.get("onprem_registration"),
            snapshot.get("code_verification_status") == "VERIFIED" if snapshot else None,
            stopped,
        )

    @property
    def ends(self) -> datetime | None:
        """When its client ends, or None for one that serves and was not read yet."""
        if self.expires_at is None and self.verified is None and self.serves:
            return None
        return self.expires_at or SUNSET


def only_stopped(at: Position, calls: Iterable[str]) -> bool:
    """Whether all that was done to the number is that its client was stopped: it is still registered there.

    `calls`: the steps that this migration has made an attempt at. Whatever `register` was answered, it may have taken
    the number away.
    """
    return at.dark_by_us and at.side in (Side.NEITHER, Side.UNKNOWN) and not {"register", "deregister_cloud"} & {*calls}


def rollback_option(
    number: "Number", expires_at: datetime | None = None, *, verified: bool, stopped: bool = False
) -> RollbackOption:
    """From what was just read of both sides."""
    known = RollbackFacts.of(number.state, number.result_of("snapshot"), number.facts, stopped=stopped)
    return assess_rollback(replace(known, expires_at=expires_at or known.expires_at, verified=verified), number.now)


def assess_rollback(known: RollbackFacts, now: datetime) -> RollbackOption:
    """No call is made. Registration at On-Premises answers 1005 since before the sunset.

    https://developers.facebook.com/docs/whatsapp/on-premises/reference/account
    """
    if not known.instance:
        return RollbackOption(RollbackState.CLOSED, "the number has no On-Premises instance")
    ends = known.ends
    if ends is not None and now >= ends:
        return RollbackOption(RollbackState.CLOSED, f"its On-Premises client expired on {ends:%Y-%m-%d}")
    if known.stopped:
        return RollbackOption(
            RollbackState.OPEN, "its client was only stopped: it is still registered there, and serves once started"
        )
    if known.fact == "blocked":
        return RollbackOption(RollbackState.CLOSED, "On-Premises registration is blocked (field fact)")
    if known.verified is None or ends is None:
        return RollbackOption(RollbackState.UNKNOWN, "not looked at yet: `cutover preflight` looks")
    if known.fact == "open":
        return RollbackOption(
            RollbackState.OPEN, f"On-Premises registration was measured to work; the client lives until {ends:%Y-%m-%d}"
        )
    if not known.verified:
        reason = "not measured whether On-Premises takes it again, and coming forward again would need a code"
        return RollbackOption(RollbackState.CLOSED, reason)
    return RollbackOption(
        RollbackState.UNKNOWN, "not measured whether On-Premises takes the number again (onprem_registration)"
    )
