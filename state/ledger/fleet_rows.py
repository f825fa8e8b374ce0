"""Rows of an inventory as the ledger gets them, and what they become in its tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from state.ledger.people import NOBODY_NAMED, NewCustomer
from state.ledger.profiles import ProfileSealer
from state.rows import SealedSecret


@dataclass(frozen=True, slots=True)
class NewInstance:
    name: str
    base_url: str
    username: str
    verify_tls: bool
    stop_command: str | None
    start_command: str | None
    command_arguments: Mapping[str, str]
    clear_http: bool = False
    certificate: str | None = None


@dataclass(frozen=True, slots=True)
class NewNumber:
    """One checked row of an inventory, without its secrets: they are sealed once the row has its id."""

    e164: str
    phone_number_id: str
    waba_id: str
    customer: str
    profile: str
    hook: str | None
    hook_required: bool
    instance: NewInstance | None
    language: str
    code_method: str
    tags: str
    daily_volume: int | None
    storage_region: str | None
    smoke_to: str | None
    itinerary: str | None
    has_pin: bool
    wave: str | None = None
    columns: frozenset[str] | None = None  # that the file has; None: all of them
    line: int = 0  # of the file it came from
    register_calls_before: int = 0
    deregister_calls_before: int = 0
    people: NewCustomer = NOBODY_NAMED
    smoke: str | None = None  # how its service is proved; None: as its wave says
    terms_accepted_by: str | None = None  # who states that the customer's business has accepted Meta's Terms

    def names(self, *columns: str) -> bool:
        """Whether the file has one of these columns: one that it has not says nothing about what is known."""
        return self.columns is None or not self.columns.isdisjoint(columns)


@dataclass(frozen=True, slots=True)
class ImportedNumber:
    number_id: int
    ref: str


class Sealer(ProfileSealer, Protocol):
    """Seals the secrets of imported rows once they have their ids; the state package holds no keys."""

    def number(self, new: NewNumber, owner: str) -> Sequence[SealedSecret]: ...

    def instance(self, new: NewNumber, owner: str) -> Sequence[SealedSecret]: ...


def columns_of(new: NewNumber) -> dict[str, Any]:
    """The columns of a number that an inventory gives."""
    return {
        "phone_number_id": new.phone_number_id,
        "wave_name": new.wave,
        "tags": new.tags,
        "daily_volume": new.daily_volume,
        "language": new.language,
        "code_method": new.code_method,
        "storage_region": new.storage_region,
        "smoke_to": new.smoke_to,
        "smoke": new.smoke,
        "forced_itinerary": new.itinerary,
    }


# By column of the database: those of the inventory that say what it is; else it has the same name.
_SAID_BY: Mapping[str, tuple[str, ...]] = {
    "wave_name": ("wave",),
    "forced_itinerary": ("itinerary",),
    "language": ("language", "customer_language"),
    "name": ("instance",),
    "instance_pk": ("onprem_url",),
    "base_url": ("onprem_url",),
    "username": ("onprem_username",),
    "verify_tls": ("onprem_self_signed",),
    "clear_http": ("onprem_clear_http",),
    "certificate": ("onprem_certificate",),
    "traffic": ("hook_required",),
}


def named_only(new: NewNumber, columns: Mapping[str, Any]) -> dict[str, Any]:
    """Of these columns of the database those about which the file says something."""
    return {name: value for name, value in columns.items() if new.names(*_SAID_BY.get(name, (name,)))}


def instance_columns_of(new: NewInstance) -> dict[str, Any]:
    columns = {name: getattr(new, name) for name in NewInstance.__slots__}
    return columns | {"command_arguments": dict(new.command_arguments)}


def traffic_of(numbers: Sequence[NewNumber]) -> dict[str, dict[str, str | None]]:
    """By customer, the columns of its traffic hook; one of its rows is enough to name it."""
    traffic: dict[str, dict[str, str | None]] = {}
    for new in numbers:
        columns = traffic.setdefault(new.customer, {"hook": None, "traffic": "advisory"})
        columns["hook"] = columns["hook"] or new.hook
        if new.hook_required:
            columns["traffic"] = "required"
    return traffic


def terms_of(numbers: Sequence[NewNumber]) -> dict[str, str | None]:
    """By customer, who states that its business has accepted Meta's Terms; one of its rows is enough."""
    stated: dict[str, str | None] = {}
    for new in numbers:
        stated[new.customer] = stated.get(new.customer) or new.terms_accepted_by
    return stated


def customers_of(numbers: Sequence[NewNumber]) -> dict[str, NewCustomer]:
    """By customer, whom to call for a code; one of its rows is enough."""
    customers: dict[str, NewCustomer] = {}
    for new in numbers:
        customers[new.customer] = customers.get(new.customer, NOBODY_NAMED).over(new.people)
    return customers


def earlier_calls(new: NewNumber, now: datetime) -> list[dict[str, Any]]:
    """The calls that the inventory says were made before."""
    row = {"phone_number_id": new.phone_number_id, "at": now, "before_import": True}
    counts = {"register": new.register_calls_before, "deregister": new.deregister_calls_before}
    return [row | {"call": call} for call, count in counts.items() for _ in range(count)]
