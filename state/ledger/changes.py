"""What one move of a number may change beside its cursor; all of it is written in the move's own transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from state.enums import AttemptEnd, OutsideFailure, PinProvenance, Side
from state.rows import SealedSecret
from state.service import Service


@dataclass(frozen=True, slots=True)
class AttemptClosed:
    """The open attempt that this write closes. `sealed`: its number, where something is sealed that goes with it."""

    attempt_id: int
    end: AttemptEnd
    answer: Mapping[str, Any] | None = None
    sealed: int | None = None


@dataclass(frozen=True, slots=True)
class AttemptRefused:
    """The call of the open attempt was refused; it stays open until both sides have shown what the call did."""

    attempt_id: int
    answer: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SideRead:
    """A reading that resolved the side."""

    side: Side
    undone: bool = False  # it serves on the side that its itinerary set out from: there is something to abort again


@dataclass(frozen=True, slots=True)
class ServiceSeen:
    """What readings show of whether the number is served, whatever its step may change.

    `ended`: the outages that ended with them, in seconds.
    """

    service: Service
    ended: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True)
class SideRestored:
    """Nothing was sent: the side is what it was before the intent."""

    side: Side


@dataclass(frozen=True, slots=True)
class ResultFound:
    """The step's result. `at`: where it holds from an earlier time on than that of the write.

    `forgets_note`: the step may have left a note, which its result makes superfluous.
    """

    facts: Mapping[str, Any]
    at: datetime | None = None
    forgets_note: bool = field(default=True, compare=False)


@dataclass(frozen=True, slots=True)
class NoteTaken:
    """What the step has to remember for its next pass."""

    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ResultsForgotten:
    """Steps whose results no longer hold."""

    steps: Sequence[str]


@dataclass(frozen=True, slots=True)
class SecretSealed:
    owner: str
    sealed: SealedSecret


@dataclass(frozen=True, slots=True)
class PinKnown:
    provenance: PinProvenance


@dataclass(frozen=True, slots=True)
class PinForgotten:
    """Meta or the client refused the PIN: it is known no longer."""


@dataclass(frozen=True, slots=True)
class CodeUsed:
    """`state`: "verified" or "refused"."""

    code_id: int
    state: str


@dataclass(frozen=True, slots=True)
class MessageSent:
    """Columns of the row in `messages`."""

    columns: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Compared:
    """A step has compared the profile or the messaging limit with what it was: `state/proof.py` has the columns."""

    columns: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AnswerKept:
    """What Meta has answered about the number or its account: `keep_answer` of `state/ledger/webhooks.py`."""

    kind: str
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class OutboxAnswered:
    """The senders have confirmed the announcement under this key."""

    key: str


@dataclass(frozen=True, slots=True)
class OutboxRefused:
    """The senders have refused the announcement under this key: they did nothing."""

    key: str


@dataclass(frozen=True, slots=True)
class ProfileHalted:
    profile_id: int
    because: str


@dataclass(frozen=True, slots=True)
class FactRefuted:
    """An answer contradicts a field fact: nobody believes it any more. `answer`: what was answered."""

    name: str
    value: str
    answer: str


@dataclass(frozen=True, slots=True)
class FactMeasured:
    """An answer shows what holds, in place of `believed`, where somebody stated that or nobody measured it."""

    name: str
    value: str
    believed: str
    answer: str


@dataclass(frozen=True, slots=True)
class OutsideFailed:
    """The call failed for a reason that would stop other numbers too; they do not cross while it stands."""

    failure: OutsideFailure


@dataclass(frozen=True, slots=True)
class OutsideSettled:
    """The call went through: what had stopped it stops no other number."""


@dataclass(frozen=True, slots=True)
class SendersPaused:
    at: datetime


@dataclass(frozen=True, slots=True)
class SendersResumed:
    """`gap_seconds`: from the pause to this moment."""

    gap_seconds: float


@dataclass(frozen=True, slots=True)
class EpochRaised:
    """The next announcement to the senders has a key of its own."""


Change = (
    AttemptClosed
    | AttemptRefused
    | SideRead
    | ServiceSeen
    | SideRestored
    | ResultFound
    | NoteTaken
    | ResultsForgotten
    | SecretSealed
    | PinKnown
    | PinForgotten
    | CodeUsed
    | MessageSent
    | Compared
    | AnswerKept
    | OutboxAnswered
    | OutboxRefused
    | ProfileHalted
    | FactRefuted
    | FactMeasured
    | OutsideFailed
    | OutsideSettled
    | SendersPaused
    | SendersResumed
    | EpochRaised
)
