"""One business phone number as Meta knows it. Facts only; the rules are in `world.py` and `registering.py`."""

import base64
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from sandbox.world.accounts import Waba
from sandbox.world.number_limits import Budget, Pace, PinGuesses
from sandbox.world.phones import Phone
from sandbox.world.senders import Sender

Platform = Literal["ON_PREMISE", "CLOUD_API", "NOT_APPLICABLE"]
Side = Literal["on_premises", "cloud", "neither"]
NEVER = datetime.min.replace(tzinfo=UTC)
LOCKED = 131031  # the error code of a locked account in Graph's health
VNAME = "vname1"  # the beginning of a certificate; ours


def certificate(number: "SimNumber") -> str:
    """The verified-name certificate that an On-Premises registration needs; opaque to its reader."""
    return base64.b64encode(f"{VNAME}:{number.phone_number_id}:{number.name}".encode()).decode()


def is_certificate(text: str) -> bool:
    """Whether the text is a certificate of any number."""
    try:
        return base64.b64decode(text, validate=True).startswith(f"{VNAME}:".encode())
    except ValueError:  # not base64
        return False


@dataclass(frozen=True, slots=True)
class View:
    """The fields of Graph that a move changes. Earlier views are kept, so that a read can lag."""

    platform: Platform
    status: str
    code_status: str
    has_pin: bool


@dataclass(slots=True)
class Outage:
    """How long a number was on neither side, counted only after it was on one side."""

    served: bool = False
    dark_since: datetime | None = None
    total_s: float | None = None

    def add(self, side: Side, at: datetime) -> None:
        if side == "neither":
            self.dark_since = self.dark_since or at
            return
        if self.served and self.dark_since is not None:
            self.total_s = (self.total_s or 0.0) + (at - self.dark_since).total_seconds()
        self.dark_since, self.served = None, True


@dataclass(slots=True)
class Storage:
    status: str = "DEFAULT"
    region: str | None = None
    retention_minutes: int | None = None


@dataclass(slots=True, eq=False)
class SimNumber:
    e164: str
    phone_number_id: str
    waba_id: str
    name: str
    kind: str
    sender: Sender
    platform: Platform = "ON_PREMISE"
    side: Side = "neither"
    status: str = "DISCONNECTED"  # what Graph shows once its reads are up to date
    instance: str = "none"  # state of its client; `World` keeps side, status and this up to date
    code_status: str = "NOT_VERIFIED"
    verified_at: datetime | None = None
    pin: str | None = None
    pin_on_file: str | None = None  # what the partner believes the PIN to be
    live_instance: str | None = None  # id of the client whose registration Meta honours
    instance_id: str | None = None  # id of its client, in whatever state
    spare_id: str | None = None  # id of a second client, clean when the fleet begins
    settled_until: datetime = NEVER  # its side is up to date until this time
    cut_off: bool = False  # Meta refuses its client's connection, as after a wrong PIN
    moving_until: datetime | None = None  # inside `register`: no longer on On-Premises, not yet on Cloud
    moving_profile: dict[str, Any] | None = None
    deleted: bool = False
    deleted_at: datetime | None = None  # stays when the number is added again
    registered_before_deletion: int = 0  # `registered` when it was deleted
    paid_at: datetime | None = None  # when it last sent a paid message
    banned: bool = False
    on_business_app: bool = False
    official: bool = False
    tos_missing: bool = False
    throughput: str = "STANDARD"
    maintenance_until: datetime | None = None
    quality: str = "GREEN"
    name_status: str = "APPROVED"
    flagged: str | None = None  # what `status` shows instead of CONNECTED
    health_problem: int | None = None  # of the number; that of its account is in `Waba`
    account: Waba | None = None
    onboarded_at: datetime | None = None
    deregistered_at: datetime | None = None
    incomplete_deregistration: bool = False
    new_name: str | None = None
    new_name_status: str = "NONE"
    name_approved_at: datetime | None = None
    name_changes: list[datetime] = field(default_factory=list)
    code_while_on_premises: str | None = None  # overrides the switch
    storage: Storage = field(default_factory=Storage)
    identity_check: bool = False
    profile: dict[str, Any] = field(default_factory=dict)
    picture: str | None = None  # SHA-256 of the profile's picture on Cloud
    webhooks: dict[str, str] = field(default_factory=dict)  # app id -> the number's own webhook address for messages
    phone: Phone = field(default_factory=Phone)
    register_budget: Budget = field(default_factory=Budget)
    deregister_budget: Budget = field(default_factory=Budget)
    guesses: PinGuesses = field(default_factory=PinGuesses)
    outage: Outage = field(default_factory=Outage)
    windows: dict[str, datetime] = field(default_factory=dict)  # consumer -> time of their last message
    correlations: set[str] = field(default_factory=set)
    pace: Pace = field(default_factory=Pace)
    history: list[tuple[datetime, View]] = field(default_factory=list)
    lagging_until: datetime | None = None  # a fault: until then reads show `lagging_view`
    lagging_view: View | None = None
    next_message_error: int | None = None  # a fault: the next message fails with this error code
    draws: int = 0  # counts its random draws; makes each of them reproducible
    registers: int = 0
    registered: int = 0
    deregisters: int = 0
    wrong_pins: int = 0
    double_effects: int = 0
    inbound: int = 0
    notices: int = 0  # webhooks about its account, not its messages
    dropped_inbound: int = 0

    @property
    def was_registered(self) -> bool:
        """Whether it was registered since it was last added."""
        return self.registered > self.registered_before_deletion

    @property
    def locked(self) -> bool:
        """Whether the number, or its account, is not allowed to send."""
        return LOCKED in (self.health_problem, self.account.health_problem if self.account is not None else None)

    @property
    def outage_s(self) -> float | None:
        return self.outage.total_s

    @property
    def dark_since(self) -> datetime | None:
        return self.outage.dark_since

    @property
    def sends_to_dead_side(self) -> int:
        return self.sender.to_dead_side

    @property
    def sender_gap_s(self) -> float | None:
        return self.sender.gap_s

    @property
    def digits(self) -> str:
        return self.e164.lstrip("+")
