"""Faults as data: what goes wrong, on which route, for which number, how often. The first that matches is applied.

With a `share`, chance decides for each call. It depends on the seed, the number and how often that number met the
fault before, and so not on the calls of other numbers.
"""

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

Kind = Literal[
    "refuse",
    "reset_before",
    "reset_after",
    "lost_answer",
    "slow",
    "429",
    "500",
    "error",
    "html",
    "truncated",
    "empty",
    "lag",
    "fails_later",
]
KINDS: tuple[str, ...] = get_args(Kind)
# Whether the call takes effect, when the fault does not say so.
DEFAULT_EFFECT: Mapping[str, bool] = {
    "refuse": False,
    "reset_before": False,
    "reset_after": True,
    "lost_answer": True,
    "slow": True,
    "429": False,
    "500": False,
    "error": False,
    "html": False,
    "truncated": True,
    "empty": True,
    "lag": True,
    "fails_later": True,
}
# Only these kinds may choose; for the others the kind decides. A gateway may answer 429 after the call took effect.
EFFECT_OPTIONAL = frozenset({"429", "500", "error", "html", "empty", "slow"})
# The parts that describe the error of a fault of kind `error`.
ERROR_PARTS = ("code", "subcode", "status", "details")
# Only sent messages have a status that comes later, by webhook.
MESSAGE_ROUTES = ("messages", "onprem.messages")
PARTS = ("route", "kind", "e164", "times", "after", "share", "seconds", "effect", *ERROR_PARTS)


# The longest delay or lag of a fault: one year. Python's calendar ends, and no rehearsal lasts longer.
LONGEST_S = 366 * 86_400


class BadFault(ValueError):
    """A row that is no fault. `part`: the name of the wrong part, when it is a single one."""

    def __init__(self, reason: str, part: str | None = None) -> None:
        super().__init__(reason)
        self.part = part


@dataclass(slots=True)
class Fault:
    """`times` 0: for ever. The first `after` calls pass; of the others a `share` is hit. `seconds`: of slow and lag."""

    route: str
    kind: str
    e164: str | None = None
    times: int = 1
    after: int = 0
    share: float = 1.0
    seconds: float = 30.0
    effect: bool = True
    code: int | None = None
    subcode: int | None = None
    status: int | None = None
    details: str | None = None
    hits: int = 0
    passed: int = 0
    calls_by_number: Counter[str] = field(default_factory=Counter)

    def matches(self, call: str, e164: str | None) -> bool:
        if self.route not in ("*", call):
            return False
        return self.e164 is None or self.e164 == e164

    @property
    def spent(self) -> bool:
        return self.times != 0 and self.hits >= self.times

    def is_spared(self, seed: int, e164: str | None) -> bool:
        """Whether chance spares this call, because only a share of the calls is hit."""
        if self.share >= 1.0:
            return False
        number = e164 or ""
        self.calls_by_number[number] += 1
        chance = random.Random(f"{seed}:fault:{self.route}:{self.kind}:{number}:{self.calls_by_number[number]}")
        return chance.random() >= self.share

    def as_json(self) -> dict[str, Any]:
        values = {name: getattr(self, name) for name in PARTS}
        row = {name: value for name, value in values.items() if name not in ERROR_PARTS or value is not None}
        return row | {"hits": self.hits}


class Faults:
    def __init__(self, seed: int = 1, faults: Iterable[Fault] = ()) -> None:
        self._seed = seed
        self._faults = list(faults)

    def add(self, route: str, kind: str, e164: str | None = None, **more: Any) -> Fault:
        """`more`: any other part of a fault. Raises BadFault."""
        fault = parse_fault({"route": route, "kind": kind, "e164": e164} | more)
        self._faults.append(fault)
        return fault

    def extend(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Adds all rows or none. Raises BadFault."""
        self._faults.extend([parse_fault(row) for row in rows])

    def clear(self) -> None:
        self._faults.clear()

    def __iter__(self) -> Iterator[Fault]:
        return iter(self._faults)

    def next_for(self, call: str, e164: str | None) -> Fault | None:
        """The fault that hits this call; counts it. None when no fault does."""
        for fault in self._faults:
            if fault.spent or not fault.matches(call, e164):
                continue
            if fault.passed < fault.after:
                fault.passed += 1
                continue
            if fault.is_spared(self._seed, e164):
                continue
            fault.hits += 1
            return fault
        return None


def parse_fault(row: Mapping[str, Any]) -> Fault:
    """One fault from JSON or YAML. Raises BadFault."""
    unknown = set(row) - set(PARTS)
    if unknown:
        raise BadFault(f"a fault has no {', '.join(sorted(map(str, unknown)))}", str(min(unknown, key=str)))
    kind = str(row.get("kind"))
    if kind not in KINDS:
        raise BadFault(f"a fault's kind is one of {', '.join(KINDS)}, not {row.get('kind')!r}", "kind")
    return Fault(
        route=str(row.get("route") or "*"),
        kind=kind,
        e164=_e164(row.get("e164")),
        times=_whole("times", row.get("times", 1)),
        after=_whole("after", row.get("after", 0)),
        share=_number("share", row.get("share", 1.0), 1),
        seconds=_number("seconds", row.get("seconds", 30.0), LONGEST_S),
        effect=_effect(kind, row.get("effect")),
        **_error_parts(kind, row),
    )


def _whole(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise BadFault(f"a fault's {name} is one of the whole numbers from 0 on, not {value!r}", name)
    return value


def _number(name: str, value: Any, most: int) -> float:
    """A text, a truth value or NaN is refused."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise BadFault(f"a fault's {name} is a number from 0 to {most}, not {value!r}", name)
    return float(value)


def _effect(kind: str, value: Any) -> bool:
    if value is None:
        return DEFAULT_EFFECT[kind]
    if not isinstance(value, bool):  # otherwise the text "no" would mean true
        raise BadFault(f"a fault's effect is true or false, not {value!r}", "effect")
    if kind not in EFFECT_OPTIONAL and value != DEFAULT_EFFECT[kind]:
        raise BadFault(f"a fault of kind {kind} cannot choose its effect", "effect")
    return value


def _error_parts(kind: str, row: Mapping[str, Any]) -> dict[str, Any]:
    parts = {name: row[name] for name in ERROR_PARTS if row.get(name) is not None}
    if kind == "fails_later":
        return _later_error(row, parts)
    if kind != "error" and parts:
        raise BadFault(f"a fault of kind {kind} has no {', '.join(parts)}; kind error has", next(iter(parts)))
    if kind == "error" and "code" not in parts:
        raise BadFault("a fault of kind error needs its code")
    for name, value in parts.items():
        if name == "details":
            if not isinstance(value, str):
                raise BadFault(f"a fault's details are a text, not {value!r}", name)
        else:
            _whole(name, value)
    if not 400 <= parts.get("status", 400) <= 599:
        raise BadFault("a fault's status is from 400 to 599", "status")
    return parts


def _later_error(row: Mapping[str, Any], parts: Mapping[str, Any]) -> dict[str, Any]:
    code = parts.get("code")
    if set(parts) != {"code"} or isinstance(code, bool) or not isinstance(code, int):
        raise BadFault("a fault of kind fails_later has a code, a whole number, and nothing else to say")
    if row.get("route") not in MESSAGE_ROUTES:
        raise BadFault(f"a fault of kind fails_later is for the routes {' and '.join(MESSAGE_ROUTES)}")
    return {"code": code}


def _e164(e164: Any) -> str | None:
    if e164 is None or e164 == "*":
        return None
    return "+" + str(e164).strip().lstrip("+")
