"""Reads `open_questions.toml`: what Meta's pages leave open, and the switches that choose an answer.

Software is right when it is right under every value of every switch.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from typing import Any

from sandbox.switches import Switches

Value = str | int | float | bool


_BOOLEANS = {"true": "true", "yes": "true", "1": "true", "false": "false", "no": "false", "0": "false"}


class BadSwitch(ValueError):
    """A switch that does not exist, or a value it does not have."""


@dataclass(frozen=True, slots=True)
class SwitchSpec:
    """One switch as the data file has it. Without `values` it takes a number from 0 to `most`."""

    name: str
    text: str
    source: str
    default: Value
    values: tuple[Value, ...] = ()
    number: str = ""
    most: float = 0
    decides: str = ""
    note: str = ""

    @property
    def texts(self) -> tuple[str, ...]:
        """Its values as they are typed; empty where it takes a number."""
        return tuple(text_of(value) for value in self.values)

    @property
    def takes(self) -> str:
        """Which numbers a switch without values takes, in words."""
        if self.number == "whole":
            return "a whole number from 0 on"
        return f"a number from 0 to {self.most:g}" if self.most == 1 else "a number from 0 on"

    def parse(self, value: Any) -> Value:
        """The value as the switch's own type; text is converted. Raises BadSwitch."""
        return self._parse_named(value) if self.values else self._parse_number(value)

    def _parse_named(self, value: Any) -> Value:
        if isinstance(self.default, bool):
            typed = _BOOLEANS.get(str(value).lower(), "")
        else:
            # YAML reads a bare yes or no as a truth value.
            typed = {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
        for known, text in zip(self.values, self.texts, strict=True):
            if text == typed:
                return known
        raise BadSwitch(f"switch {self.name} takes {' or '.join(self.texts)}, not {value!r}")

    def _parse_number(self, value: Any) -> Value:
        try:
            number = -1.0 if isinstance(value, bool) else float(value)
        except (TypeError, ValueError, OverflowError):
            number = -1.0
        if not 0 <= number <= self.most:
            raise BadSwitch(f"switch {self.name} takes a number from 0 to {self.most}, not {value!r}")
        return int(number) if self.number == "whole" else number


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """One row of docs/unconfirmed.md. `facts` are field facts without a switch, as the data file has them."""

    section: str
    question: str
    assumed: str
    measure: str
    used_in: str = ""
    see: tuple[str, ...] = ()
    instead: str = ""
    switches: tuple[SwitchSpec, ...] = ()
    facts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@cache
def questions() -> tuple[OpenQuestion, ...]:
    """All of them, in the order of the data file."""
    data = tomllib.loads((files("sandbox") / "open_questions.toml").read_text(encoding="utf-8"))
    return tuple(_question(row, data["largest_number"]) for row in data["questions"])


def _question(row: Mapping[str, Any], largest: int) -> OpenQuestion:
    specs = (
        SwitchSpec(name, **{"most": largest} | spec | {"values": tuple(spec.get("values", ()))})
        for name, spec in row.get("switches", {}).items()
    )
    return OpenQuestion(**{**row, "see": tuple(row.get("see", ())), "switches": tuple(specs)})


@cache
def switch_specs() -> Mapping[str, SwitchSpec]:
    """Every switch by its name."""
    return {spec.name: spec for question in questions() for spec in question.switches}


def with_values(switches: Switches, values: Mapping[str, Any]) -> Switches:
    """The same switches with some set. Text is converted to the switch's own type. Raises BadSwitch."""
    parsed: dict[str, Any] = {name: _spec(name).parse(value) for name, value in values.items()}
    return replace(switches, **parsed)


def _spec(name: str) -> SwitchSpec:
    if name not in switch_specs():
        raise BadSwitch(f"no switch is called {name!r}; there are: {', '.join(switch_specs())}")
    return switch_specs()[name]


def text_of(value: Any) -> str:
    """A value as it is typed and printed."""
    return str(value).lower() if isinstance(value, bool) else str(value)
