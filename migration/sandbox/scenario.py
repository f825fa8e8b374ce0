"""Scenario files: a fleet and its troubles as YAML. A mistake is told with its file and line.

world: closing              # open | closing | after-sunset
seed: 7
businesses:                 # left out: one; each has an app, a secret and a token of its own
  - {name: north}
  - {name: south, numbers_per_waba: 3, token_expires_in_days: 30}
now: 2026-11-23T20:00:00Z   # where the clock begins; left out: the real time
switches: {read_lag_s: 5}
numbers:
  - {kind: healthy, count: 8, business: north}
  - {kind: healthy, faults: [{route: register, kind: lost_answer}]}   # each number of the row gets them
faults:
  - {route: get.number, kind: "500", times: 3}
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, cast

import yaml

from migration.sandbox import faults as fault_rows
from migration.sandbox import routes
from migration.sandbox import switches as switch_values
from migration.sandbox.businesses import BusinessSpec, business_of
from migration.sandbox.kinds import BadSpec, NumberSpec, spec_of
from migration.sandbox.world import WORLDS, WorldKind

PARTS = ("world", "seed", "now", "switches", "businesses", "numbers", "faults", "about")
MOST_NUMBERS = 100_000


class BadScenario(ValueError):
    """`file:line: what is wrong`."""

    def __init__(self, source: str, line: int, what: str) -> None:
        super().__init__(source, line, what)
        self.source = source
        self.line = line
        self.what = what

    def __str__(self) -> str:
        return f"{self.source}:{self.line}: {self.what}"


@dataclass(slots=True)
class Scenario:
    """`numbers`: each with the faults that are its own."""

    world: WorldKind = "closing"
    seed: int = 1
    now: datetime | None = None
    about: str = ""
    switches: dict[str, Any] = field(default_factory=dict)
    businesses: list[BusinessSpec] = field(default_factory=list)
    numbers: list[tuple[NumberSpec, list[dict[str, Any]]]] = field(default_factory=list)
    faults: list[dict[str, Any]] = field(default_factory=list)


def load(path: str | Path) -> Scenario:
    """From a file, or a shipped one by its name. Raises BadScenario or OSError."""
    found = Path(path)
    if not found.exists() and "/" not in str(path):
        shipped = Path(str(files("migration.sandbox"))) / "scenarios" / f"{found.stem}.yaml"
        found = shipped if shipped.exists() else found
    return read(found.read_text(encoding="utf-8"), str(found))


def shipped() -> list[str]:
    folder = Path(str(files("migration.sandbox"))) / "scenarios"
    return sorted(path.stem for path in folder.glob("*.yaml"))


def read(text: str, source: str = "scenario") -> Scenario:
    """Raises BadScenario."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as bad:
        mark = getattr(bad, "problem_mark", None)
        what = getattr(bad, "problem", None) or "not YAML"
        raise BadScenario(source, mark.line + 1 if mark is not None else 1, str(what)) from None
    return _Reader(source).scenario(root)


class _Reader:
    def __init__(self, source: str) -> None:
        self._source = source
        self._named: list[tuple[str, yaml.Node]] = []  # businesses that rows of numbers name, and where

    def _bad(self, node: yaml.Node, what: str) -> BadScenario:
        return BadScenario(self._source, node.start_mark.line + 1, what)

    def _value(self, node: yaml.Node) -> Any:
        try:
            return yaml.SafeLoader("").construct_document(node)
        except yaml.YAMLError as bad:
            raise self._bad(node, str(bad)) from None
        except ValueError as bad:  # such as the 31st of February
            raise self._bad(node, str(bad)) from None

    def _pairs(self, node: yaml.Node | None, what: str) -> Iterator[tuple[str, yaml.Node]]:
        if not isinstance(node, yaml.MappingNode):
            raise BadScenario(
                self._source, node.start_mark.line + 1 if node is not None else 1, f"{what} is not a mapping"
            )
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                raise self._bad(key, f"{key.value!r} is there twice")
            seen.add(key.value)
            yield str(key.value), value

    def _items(self, node: yaml.Node, what: str) -> list[yaml.Node]:
        if not isinstance(node, yaml.SequenceNode):
            raise self._bad(node, f"{what} is not a list")
        return list(node.value)

    def scenario(self, root: yaml.Node | None) -> Scenario:
        told = Scenario()
        for name, node in self._pairs(root, "the scenario"):
            match name:
                case "world":
                    told.world = self._world(node)
                case "seed":
                    told.seed = self._whole(node, "seed")
                case "now":
                    told.now = self._time(node)
                case "about":
                    told.about = str(self._value(node))
                case "switches":
                    told.switches = dict(self._switches(node))
                case "businesses":
                    told.businesses = self._businesses(node)
                case "numbers":
                    for row in self._items(node, "numbers"):
                        told.numbers.extend(self._numbers(row))
                case "faults":
                    told.faults = [self._fault(row) for row in self._items(node, "faults")]
                case _:
                    raise self._bad(node, f"a scenario has no {name!r}; it has {', '.join(PARTS)}")
        if not told.numbers:
            raise BadScenario(self._source, 1, "the scenario has no numbers")
        known = {"", *(one.name for one in told.businesses)}
        for name, node in self._named:
            if name not in known:
                raise self._bad(node, f"no business is called {name!r}")
        return told

    def _businesses(self, node: yaml.Node) -> list[BusinessSpec]:
        found: list[BusinessSpec] = []
        for row in self._items(node, "businesses"):
            try:
                found.append(business_of({name: self._value(value) for name, value in self._pairs(row, "a business")}))
            except BadSpec as bad:
                raise self._bad(row, str(bad)) from None
            if found[-1].name in {one.name for one in found[:-1]}:
                raise self._bad(row, f"two businesses are called {found[-1].name!r}")
        return found

    def _world(self, node: yaml.Node) -> WorldKind:
        value = self._value(node)
        if value not in WORLDS:
            raise self._bad(node, f"world is {', '.join(WORLDS)}, not {value!r}")
        return cast(WorldKind, value)

    def _whole(self, node: yaml.Node, what: str, least: int = 0) -> int:
        value = self._value(node)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise self._bad(node, f"{what} is a whole number from {least} on, not {value!r}")
        return value

    def _time(self, node: yaml.Node) -> datetime:
        value = self._value(node)
        if not isinstance(value, datetime) or value.tzinfo is None:
            raise self._bad(node, "now is a time with its zone, such as 2026-11-23T20:00:00Z")
        return value.astimezone(UTC)

    def _switches(self, node: yaml.Node) -> Iterator[tuple[str, Any]]:
        for name, value in self._pairs(node, "switches"):
            told = self._value(value)
            try:
                switch_values.with_values(switch_values.Switches(), {name: told})
            except switch_values.BadSwitch as bad:
                raise self._bad(value, str(bad)) from None
            yield name, told

    def _numbers(self, node: yaml.Node) -> list[tuple[NumberSpec, list[dict[str, Any]]]]:
        count, faults, row = 1, list[dict[str, Any]](), dict[str, Any]()
        for name, value in self._pairs(node, "a row of numbers"):
            if name == "count":
                count = self._whole(value, "count", 1)
            elif name == "faults":
                faults = [self._fault(fault) for fault in self._items(value, "faults")]
            else:
                row[name] = self._value(value)
                if name == "business":
                    self._named.append((str(row[name]), value))
        if count > MOST_NUMBERS:
            raise self._bad(node, f"count is at most {MOST_NUMBERS}")
        try:
            spec = spec_of(row)
        except BadSpec as bad:
            raise self._bad(node, str(bad)) from None
        return [(spec, faults)] * count

    def _fault(self, node: yaml.Node) -> dict[str, Any]:
        nodes = dict(self._pairs(node, "a fault"))
        row: Mapping[str, Any] = {name: self._value(value) for name, value in nodes.items()}
        route = row.get("route", routes.ANY)
        if not routes.known(route):
            raise self._bad(nodes["route"], f"no call has the route {route!r}; there are: {', '.join(routes.names())}")
        try:
            fault_rows.read(row)
        except fault_rows.BadFault as bad:
            raise self._bad(node, str(bad)) from None
        return dict(row)
