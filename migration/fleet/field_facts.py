"""Field facts: what a partner measures at Meta where Meta's pages say nothing.

The open questions are a data file of the sandbox. A fact with the name of one of its switches sets that switch
(`cutover sandbox --as-measured`); a few facts also decide something in cutover.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

SETS_A_SWITCH = "the sandbox's switch, with --as-measured"
_YES_OR_NO = {"yes": "true", "1": "true", "no": "false", "0": "false"}


class BadFact(ValueError):
    """A value that the question does not have."""


@dataclass(frozen=True, slots=True)
class FieldFact:
    """One open question. `values` is empty where the answer is a number; `worlds` where it sets a switch."""

    name: str
    text: str
    values: tuple[str, ...]
    number: str = ""
    most: float = 0
    decides: str = ""
    worlds: Mapping[str, str] = field(default_factory=dict)

    @property
    def sets(self) -> str:
        """What a value decides, in words."""
        return self.decides or SETS_A_SWITCH

    @property
    def answers(self) -> str:
        """The possible values, in words."""
        if self.values:
            return " or ".join(self.values)
        if self.number == "whole":
            return "a whole number from 0 on"
        return "a number from 0 to 1" if self.most == 1 else "a number from 0 on"

    def read(self, value: str) -> str:
        """The value as it is stored. Raises BadFact."""
        known = self._named(value) if self.values else self._as_number(value)
        if known is None:
            raise BadFact(f"{self.name} is {self.answers}, not {value}")
        return known

    def _named(self, value: str) -> str | None:
        if self.values == ("true", "false"):
            value = _YES_OR_NO.get(value.lower(), value.lower())
        return value if value in self.values else None

    def _as_number(self, value: str) -> str | None:
        try:
            number = float(value)
        except ValueError:
            return None
        if not 0 <= number <= self.most:
            return None
        return str(int(number) if self.number == "whole" else number)


@cache
def field_facts() -> Mapping[str, FieldFact]:
    """Every open question by its name; those that decide something in cutover come first."""
    data = tomllib.loads((files("sandbox") / "open_questions.toml").read_text(encoding="utf-8"))
    known = [
        _fact(name, row, data["largest_number"])
        for question in data["questions"]
        for name, row in {**question.get("switches", {}), **question.get("facts", {})}.items()
    ]
    return {fact.name: fact for fact in sorted(known, key=lambda fact: not fact.decides)}


def _fact(name: str, row: Mapping[str, Any], largest: int) -> FieldFact:
    return FieldFact(
        name=name,
        text=row["text"],
        values=tuple(str(value).lower() if isinstance(value, bool) else str(value) for value in row.get("values", ())),
        number=row.get("number", ""),
        most=row.get("most", largest),
        decides=row.get("decides", ""),
        worlds=row.get("worlds", {}),
    )


def as_switches(measured: Mapping[str, str]) -> list[str]:
    """What was measured, as `NAME=VALUE` for `--switch`."""
    known = field_facts()
    return [f"{name}={value}" for name, value in measured.items() if name in known and not known[name].worlds]


def as_world(measured: Mapping[str, str]) -> str | None:
    """The sandbox's world in which On-Premises registers as was measured; None where nobody measured."""
    worlds = (fact.worlds.get(measured.get(fact.name, "")) for fact in field_facts().values() if fact.worlds)
    return next((world for world in worlds if world is not None), None)
