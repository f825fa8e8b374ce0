"""Businesses of a scenario: each with its apps, its WABAs and its tokens, and without access to the others.

A credential profile is what a partner has of a business: app id and secret, verify token, system-user token.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from sandbox.scenarios.kinds import BadSpec
from sandbox.world.accounts import SCOPES

# A token may expire a hundred years from now, or have expired as long ago: Python's calendar ends.
MOST_DAYS = 36_500
MOST_APPS, LARGEST = 100, 100_000


@dataclass(frozen=True, slots=True)
class BusinessSpec:
    """`token_expires_in_days` None: never. `token_sees_wabas` None: all WABAs of the business; else the first ones.

    `terms_accepted`: whether the business has accepted the terms of service, for all its numbers.
    `apps`: their number; each has its own secret, address and token for the same accounts.
    """

    name: str = "Fleet"
    numbers_per_waba: int = 10
    token_scopes: tuple[str, ...] = SCOPES
    token_expires_in_days: float | None = None
    token_sees_wabas: int | None = None
    apps: int = 1
    requires_proof: bool = False
    terms_accepted: bool = True


def business_of(row: Mapping[str, Any]) -> BusinessSpec:
    """One row of `businesses:`. Raises BadSpec."""
    parts = [field.name for field in fields(BusinessSpec)]
    unknown = sorted(set(row) - set(parts))
    if unknown:
        raise BadSpec(f"a business has no {unknown[0]!r}; it has {', '.join(parts)}")
    if not isinstance(row.get("name"), str) or not row["name"]:
        raise BadSpec("a business needs a name")
    return replace(BusinessSpec(), **{name: _value(name, value) for name, value in row.items()})


def _value(name: str, value: Any) -> Any:
    match name:
        case "name":
            return value
        case "token_scopes":
            if not isinstance(value, list) or not set(value) <= set(SCOPES):
                raise BadSpec(f"token_scopes is a list of {' and '.join(SCOPES)}")
            return tuple(value)
        case "token_expires_in_days":
            if value is not None and (
                isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= MOST_DAYS
            ):
                raise BadSpec(
                    "token_expires_in_days is a number of days, negative where the token has expired, "
                    f"at most {MOST_DAYS} from now"
                )
            return value
        case "requires_proof" | "terms_accepted":
            if not isinstance(value, bool):
                raise BadSpec(f"{name} is true or false")
            return value
        case _:
            least = 1 if name in ("numbers_per_waba", "apps") else 0
            most = MOST_APPS if name == "apps" else LARGEST
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
                raise BadSpec(f"{name} is a whole number from {least} to {most}")
            return value
