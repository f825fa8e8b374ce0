"""What a step may answer, and what it hands to the engine. No framework in here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import SecretStr

from state.enums import Party, PinProvenance, Side

# -- outcomes: how one pass over a step ends


@dataclass(frozen=True, slots=True)
class Advanced:
    """The effect is in place."""

    step: str
    ended: bool = False  # that was the last step of the itinerary


@dataclass(frozen=True, slots=True)
class Waiting:
    """Nothing is wrong; check again at `until`. Costs no attempt."""

    until: datetime
    on: Party
    reason: str
    note: Mapping[str, Any] | None = None  # what the step has to remember for its next pass
    for_calls: bool = False  # it ends at once where Graph's limit on the calls of its WABA is lifted


@dataclass(frozen=True, slots=True)
class Blocked:
    """A person must act; `runbook` is a page under runbooks/.

    `side`: only from a reading of both sides. `pin_refused`: Meta refused the PIN, so it is known no longer.
    `account_refused`: Meta refused the account of the number, so that of every number of its WABA.
    """

    reason: str
    runbook: str
    side: Side | None = None
    pin_refused: bool = False
    account_refused: bool = False


@dataclass(frozen=True, slots=True)
class Held:
    """Stopped at the gate by a hold, a window, a halted wave or a halted profile, until somebody opens the gate.

    `halts_profile_because`: this very outcome halts the number's credential profile, for this reason.
    """

    reason: str
    halts_profile_because: str | None = None


@dataclass(frozen=True, slots=True)
class Reopen:
    """An earlier step has to be done again."""

    step: str
    because: str


@dataclass(frozen=True, slots=True)
class Switch:
    """The itinerary cannot be finished; the number takes another one, from its first step."""

    itinerary: str
    because: str


Outcome = Advanced | Waiting | Blocked | Held | Reopen | Switch

# -- what a step hands to the engine


@dataclass(frozen=True, slots=True)
class Evidence:
    """The facts that show the effect of a step. `side`: only from a reading of both sides."""

    facts: Mapping[str, Any] = field(default_factory=dict)
    side: Side | None = None
    secrets: Mapping[str, SecretStr] = field(default_factory=dict)  # to be sealed as the number's own, by name
    backups: Mapping[str, SecretStr] = field(default_factory=dict)  # stored in two places, read back and compared
    pin: PinProvenance | None = None
    code_verified: bool = False
    message: Mapping[str, Any] | None = None  # the row of a message that was sent
    # What of the profile or the limit was found lost: columns that `state/proof.py` reads.
    compared: Mapping[str, Any] = field(default_factory=dict, compare=False)
    # What Meta has answered about the number or its account, as a webhook would say it: its kind and facts.
    answered: tuple[str, Mapping[str, Any]] | None = None
    outbox_key: str | None = None  # the announcement that the senders have confirmed
    paused: bool = False
    resumed: bool = False
    fresh_from: datetime | None = None  # where its freshness counts from an earlier time than that of the record


@dataclass(frozen=True, slots=True)
class Done:
    """The effect is in place."""

    evidence: Evidence


@dataclass(frozen=True, slots=True)
class NotDone:
    """The effect is not in place. `witnesses` are the facts that prove it; `side`, if they show it, the side now.

    `note`: replaces what the step remembered, where this reading contradicts it.
    """

    witnesses: Mapping[str, Any]
    side: Side | None = None
    note: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class CannotTell:
    """The readings prove neither; read again at `recheck_at`."""

    recheck_at: datetime
    reason: str
    note: Mapping[str, Any] | None = None
    on: Party = Party.META


Probe = Done | NotDone | CannotTell


@dataclass(frozen=True, slots=True)
class Draft:
    """What a step is about to do: plain facts for the record, and secrets to be sealed with the intent."""

    facts: Mapping[str, Any] = field(default_factory=dict)
    secret: Mapping[str, SecretStr] = field(default_factory=dict)
    announcement: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Intent:
    """A committed draft. `send_by` is in seconds on the boot-time clock; the transport sends nothing after it.

    `refused`: the call was answered "the service is not available", which a call that had its effect may be too.
    """

    key: str
    facts: Mapping[str, Any]
    secret: Mapping[str, SecretStr]
    opened_at: datetime
    answer_due: datetime
    send_by: float
    refused: bool = False
