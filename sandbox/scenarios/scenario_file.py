"""Scenario files: a fleet and its faults as YAML. An error names the file and the line.

world: closing              # open | closing | after-sunset
seed: 7
businesses:                 # optional: one business if left out; each has its own app, secret and token
  - {name: north}
  - {name: south, numbers_per_waba: 3, token_expires_in_days: 30}
now: 2026-11-23T20:00:00Z   # start of the clock; the real time if left out
switches: {read_lag_s: 5}
numbers:
  - {kind: healthy, count: 8, business: north}
  - {kind: healthy, faults: [{route: register, kind: lost_answer}]}   # each number of the row gets them
faults:
  - {route: get.number, kind: "500", times: 3}
"""

from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, cast

import yaml

from sandbox import call_names
from sandbox.faults import BadFault, parse_fault
from sandbox.open_questions import BadSwitch, with_values
from sandbox.scenarios.businesses import BusinessSpec, business_of
from sandbox.scenarios.kinds import BadSpec, NumberSpec, spec_of
from sandbox.switches import Switches
from sandbox.world.world import WORLDS, WorldKind

# A clock begins within these years, so that events long before and after it are still valid dates.
FIRST, LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
LARGEST_SEED = 2**63 - 1
PARTS = ("world", "seed", "now", "switches", "businesses", "numbers", "faults", "about")
MOST_NUMBERS = 100_000


class BadScenario(ValueError):
    """`file:line: what is wrong`."""

    def __init__(self, source: str, line: int, reason: str) -> None:
        super().__init__(source, line, reason)
        self.source = source
        self.line = line
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.source}:{self.line}: {self.reason}"


@dataclass(slots=True)
class Scenario:
    """`numbers`: each with its own faults. `fault_lines`: the line of each of `faults` in `source`."""

    world: WorldKind = "closing"
    seed: int = 1
    now: datetime | None = None
    about: str = ""
    switches: dict[str, Any] = field(default_factory=dict)
    businesses: list[BusinessSpec] = field(default_factory=list)
    numbers: list[tuple[NumberSpec, list[dict[str, Any]]]] = field(default_factory=list)
    faults: list[dict[str, Any]] = field(default_factory=list)
    source: str = "scenario"
    fault_lines: list[int] = field(default_factory=list)

    def check_e164s(self, e164s: Container[str]) -> None:
        """Raises BadScenario for a fault with a number that is not in the fleet: it would never be applied."""
        for row, line in zip(self.faults, self.fault_lines, strict=True):
            e164 = parse_fault(row).e164
            if e164 is not None and e164 not in e164s:
                raise BadScenario(self.source, line, "no number of this fleet has this e164; it comes from the seed")


def load_scenario(path: str | Path) -> Scenario:
    """From a file, or a shipped scenario by its name. Raises BadScenario or OSError."""
    file = Path(path)
    if not file.exists() and "/" not in str(path):
        shipped = Path(str(files("sandbox"))) / "scenarios" / f"{file.stem}.yaml"
        file = shipped if shipped.exists() else file
    content = file.read_bytes()
    try:
        return parse_scenario(content.decode(), str(file))
    except UnicodeDecodeError as bad:
        raise BadScenario(str(file), content.count(b"\n", 0, bad.start) + 1, "not UTF-8") from None


def shipped_scenarios() -> list[str]:
    folder = Path(str(files("sandbox"))) / "scenarios"
    return sorted(path.stem for path in folder.glob("*.yaml"))


def parse_scenario(text: str, source: str = "scenario") -> Scenario:
    """Raises BadScenario."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as bad:
        mark = getattr(bad, "problem_mark", None)
        reason = getattr(bad, "problem", None) or "not YAML"
        raise BadScenario(source, mark.line + 1 if mark is not None else 1, str(reason)) from None
    except RecursionError:
        raise BadScenario(source, 1, "nested deeper than the parser allows") from None
    return _Reader(source).scenario(root)


class _Reader:
    def __init__(self, source: str) -> None:
        self._source = source
        self._named: list[tuple[str, yaml.Node]] = []  # businesses that rows of numbers name, with their nodes

    def _bad(self, node: yaml.Node, reason: str) -> BadScenario:
        return BadScenario(self._source, node.start_mark.line + 1, reason)

    def _value(self, node: yaml.Node) -> Any:
        try:
            return yaml.SafeLoader("").construct_document(node)
        except yaml.YAMLError as bad:
            raise self._bad(node, str(getattr(bad, "problem", None) or "not YAML")) from None
        except (ValueError, OverflowError) as bad:  # such as the 31st of February
            raise self._bad(node, str(bad)) from None

    def _pairs(self, node: yaml.Node | None, part: str) -> Iterator[tuple[str, yaml.Node]]:
        if not isinstance(node, yaml.MappingNode):
            raise BadScenario(
                self._source, node.start_mark.line + 1 if node is not None else 1, f"{part} is not a mapping"
            )
        names: set[str] = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self._bad(key, f"{part} has names, not lists or mappings, before its colons")
            if key.value in names:
                raise self._bad(key, f"{key.value!r} is there twice")
            names.add(key.value)
            yield str(key.value), value

    def _items(self, node: yaml.Node, part: str) -> list[yaml.Node]:
        if not isinstance(node, yaml.SequenceNode):
            raise self._bad(node, f"{part} is not a list")
        return list(node.value)

    def scenario(self, root: yaml.Node | None) -> Scenario:
        scenario = Scenario(source=self._source)
        for name, node in self._pairs(root, "the scenario"):
            match name:
                case "world":
                    scenario.world = self._world(node)
                case "seed":
                    scenario.seed = self._whole(node, "seed", 0, LARGEST_SEED)
                case "now":
                    scenario.now = self._time(node)
                case "about":
                    scenario.about = self._text(node, "about")
                case "switches":
                    scenario.switches = dict(self._switches(node))
                case "businesses":
                    scenario.businesses = self._businesses(node)
                case "numbers":
                    for row in self._items(node, "numbers"):
                        scenario.numbers.extend(self._numbers(row))
                        if len(scenario.numbers) > MOST_NUMBERS:
                            raise self._bad(row, f"a fleet has at most {MOST_NUMBERS} numbers")
                case "faults":
                    rows = self._items(node, "faults")
                    scenario.faults = [self._fault(row) for row in rows]
                    scenario.fault_lines = [row.start_mark.line + 1 for row in rows]
                case _:
                    raise self._bad(node, f"a scenario has no {name!r}; it has {', '.join(PARTS)}")
        if not scenario.numbers:
            raise BadScenario(self._source, 1, "the scenario has no numbers")
        known = {"", *(business.name for business in scenario.businesses)}
        for name, node in self._named:
            if name not in known:
                raise self._bad(node, f"no business is called {name!r}")
        return scenario

    def _businesses(self, node: yaml.Node) -> list[BusinessSpec]:
        businesses: list[BusinessSpec] = []
        for row in self._items(node, "businesses"):
            parts = self._parts(row, "a business", lambda part: business_of({"name": "any"} | part))
            try:
                business = business_of(parts)
            except BadSpec as bad:
                raise self._bad(row, str(bad)) from None
            if business.name in {other.name for other in businesses}:
                raise self._bad(row, f"two businesses are called {business.name!r}")
            businesses.append(business)
        return businesses

    def _parts(
        self, node: yaml.Node, part: str, check: Callable[[dict[str, Any]], object], skip: Container[str] = ()
    ) -> dict[str, Any]:
        """The parts of a row. Each is checked by itself, so that an error has the line of the wrong part."""
        parts: dict[str, Any] = {}
        for name, value in self._pairs(node, part):
            if name in skip:
                continue
            parts[name] = self._value(value)
            try:
                check({name: parts[name]})
            except BadSpec as bad:
                raise self._bad(value, str(bad)) from None
        return parts

    def _text(self, node: yaml.Node, part: str) -> str:
        value = self._value(node)
        if not isinstance(value, str):
            raise self._bad(node, f"{part} is a text, not {value!r}")
        return value

    def _world(self, node: yaml.Node) -> WorldKind:
        value = self._value(node)
        if value not in WORLDS:
            raise self._bad(node, f"world is {', '.join(WORLDS)}, not {value!r}")
        return cast(WorldKind, value)

    def _whole(self, node: yaml.Node, part: str, least: int, most: int) -> int:
        value = self._value(node)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            shown = node.value if isinstance(node, yaml.ScalarNode) else value
            raise self._bad(node, f"{part} is a whole number from {least} to {most}, not {str(shown)[:40]!r}")
        return value

    def _time(self, node: yaml.Node) -> datetime:
        value = self._value(node)
        if not isinstance(value, datetime) or value.tzinfo is None:
            raise self._bad(node, "now is a time with its zone, such as 2026-11-23T20:00:00Z")
        if not FIRST <= value <= LAST:
            raise self._bad(node, f"now is from {FIRST:%Y} to {LAST:%Y}")
        return value.astimezone(UTC)

    def _switches(self, node: yaml.Node) -> Iterator[tuple[str, Any]]:
        for name, value in self._pairs(node, "switches"):
            setting = self._value(value)
            try:
                with_values(Switches(), {name: setting})
            except BadSwitch as bad:
                raise self._bad(value, str(bad)) from None
            yield name, setting

    def _numbers(self, node: yaml.Node) -> list[tuple[NumberSpec, list[dict[str, Any]]]]:
        count, faults = 1, list[dict[str, Any]]()
        row = self._parts(node, "a row of numbers", spec_of, ("count", "faults"))
        for name, value in self._pairs(node, "a row of numbers"):
            if name == "count":
                count = self._whole(value, "count", 1, MOST_NUMBERS)
            elif name == "faults":
                faults = [self._fault(fault, of_a_row=True) for fault in self._items(value, "faults")]
            elif name == "business":
                self._named.append((str(row[name]), value))
        return [(spec_of(row), faults)] * count

    def _fault(self, node: yaml.Node, *, of_a_row: bool = False) -> dict[str, Any]:
        nodes = dict(self._pairs(node, "a fault"))
        if of_a_row and "e164" in nodes:
            raise self._bad(nodes["e164"], "a row's faults are those of its numbers; leave out e164")
        row: Mapping[str, Any] = {name: self._value(value) for name, value in nodes.items()}
        route = row.get("route", call_names.ANY)
        if not call_names.known(route):
            known = ", ".join(call_names.names())
            raise self._bad(nodes["route"], f"no call has the route {route!r}; there are: {known}")
        try:
            parse_fault(row)
        except BadFault as bad:
            raise self._bad(nodes.get(bad.part or "", node), str(bad)) from None
        return dict(row)
