"""The rule that selects the numbers of a wave. Pure functions."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from migration.errors import MigrationError
from state.rows import UnplannedRow


class BadPlan(MigrationError):
    """A rule or a window is not valid; the message says which part."""


_CONDITION = re.compile(r"(tag|customer|volume)(!=|<=|>=|=|<|>)(.+)")
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


@dataclass(frozen=True, slots=True)
class Condition:
    """`operator` is one of = != < <= > >=; `value` is the text after it."""

    field: str
    operator: str
    value: str

    def holds(self, row: UnplannedRow) -> bool:
        if self.field == "volume":
            # A number of unknown volume matches no condition on volume: it may be the busiest one.
            return row.daily_volume is not None and _COMPARE[self.operator](row.daily_volume, float(self.value))
        equal = self.value in row.tags.split() if self.field == "tag" else row.customer == self.value
        return equal if self.operator == "=" else not equal


@dataclass(frozen=True, slots=True)
class WaveRule:
    """Matches a number if all conditions hold."""

    conditions: tuple[Condition, ...] = ()

    def matches(self, row: UnplannedRow) -> bool:
        return all(condition.holds(row) for condition in self.conditions)


def parse_rule(text: str) -> WaveRule:
    """Parse a rule such as `tag=north,volume<1000,customer!=Acme`. Raises BadPlan, which names the wrong part."""
    conditions = [_parse_condition(part) for part in (part.strip() for part in text.split(",")) if part]
    if not conditions:  # an empty shell variable would otherwise select the whole fleet
        raise BadPlan("the rule is empty; leave --rule out to take every number that is in no wave")
    return WaveRule(tuple(conditions))


def _parse_condition(text: str) -> Condition:
    match = _CONDITION.fullmatch(text)
    if match is None:
        raise BadPlan(f"rule {text!r}: give tag, customer or volume, a sign and a value, as in tag=north,volume<1000")
    field, operator, value = (part.strip() for part in match.groups())
    if field == "volume" and re.fullmatch(r"\d+(\.\d+)?", value) is None:
        raise BadPlan(f"rule {text!r}: a volume is a count of messages a day")
    if field != "volume" and operator not in ("=", "!="):
        raise BadPlan(f"rule {text!r}: a {field} is compared with = or !=")
    return Condition(field, operator, value)


def select_numbers(rule: WaveRule, rows: Sequence[UnplannedRow], limit: int | None) -> list[UnplannedRow]:
    """The numbers that match: low volume first, as Meta advises; unknown volume last; then by reference.

    https://developers.facebook.com/docs/whatsapp/cloud-api/guides/migrating-from-onprem-to-cloud
    """
    matching = sorted(
        (row for row in rows if rule.matches(row)),
        key=lambda row: (row.daily_volume is None, row.daily_volume or 0, len(row.ref), row.ref),
    )
    return matching[:limit] if limit is not None else matching
