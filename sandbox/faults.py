"""Faults as data: what goes wrong, on which route, for whom, how often. The first that matches strikes.

With a `share` a fault's luck is drawn from the seed, the number and how often that number has met it before: the
same for each number, whatever others do in between.
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
# Whether the call has its effect where the fault does not say. Those after it are the ones that matter.
EFFECT: Mapping[str, bool] = {
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
# Only these may say otherwise; for the rest the effect is what their name means. A gateway may count a call after it
# went through, so even 429 may.
CHOOSES = frozenset({"429", "500", "error", "html", "empty", "slow"})
# What a fault of kind `error` says, in the words of either side.
SAYS = ("code", "subcode", "status", "details")
# Only sending has a second answer, by webhook.
SENDS = ("messages", "onprem.messages")
PARTS = ("route", "kind", "e164", "times", "after", "share", "seconds", "effect", *SAYS)


# The longest that a fault makes anybody wait or lag: a year. The calendar has an end, and no rehearsal lasts longer.
LONGEST_S = 366 * 86_400


class BadFault(ValueError):
    """A fault that says something it cannot; `part` names the part that does, where it is one alone."""

    def __init__(self, what: str, part: str | None = None) -> None:
        super().__init__(what)
        self.part = part


@dataclass(slots=True)
class Fault:
    """`times` 0 means for ever; `after` calls pass first; of the rest a `share` is struck; `seconds` for slow, lag."""

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
    met: Counter[str] = field(default_factory=Counter)  # by number, for its luck

    def matches(self, call: str, e164: str | None) -> bool:
        if self.route not in ("*", call):
            return False
        return self.e164 is None or self.e164 == e164

    @property
    def spent(self) -> bool:
        return self.times != 0 and self.hits >= self.times

    def has_luck(self, seed: int, e164: str | None) -> bool:
        """Whether this call is not of the share that is struck."""
        if self.share >= 1.0:
            return False
        who = e164 or ""
        self.met[who] += 1
        luck = random.Random(f"{seed}:fault:{self.route}:{self.kind}:{who}:{self.met[who]}")
        return luck.random() >= self.share

    def as_json(self) -> dict[str, Any]:
        told = {name: getattr(self, name) for name in PARTS if name not in SAYS or getattr(self, name) is not None}
        return told | {"hits": self.hits}


class Faults:
    def __init__(self, seed: int = 1, faults: Iterable[Fault] = ()) -> None:
        self._seed = seed
        self._faults = list(faults)

    def add(self, route: str, kind: str, e164: str | None = None, **more: Any) -> Fault:
        """`more`: any other part of a fault. Raises BadFault."""
        fault = read({"route": route, "kind": kind, "e164": e164} | more)
        self._faults.append(fault)
        return fault

    def extend(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """All rows or none. Raises BadFault."""
        self._faults.extend([read(row) for row in rows])

    def clear(self) -> None:
        self._faults.clear()

    def __iter__(self) -> Iterator[Fault]:
        return iter(self._faults)

    def strike(self, call: str, e164: str | None) -> Fault | None:
        """The fault this call meets, counted; None where it goes through."""
        for fault in self._faults:
            if fault.spent or not fault.matches(call, e164):
                continue
            if fault.passed < fault.after:
                fault.passed += 1
                continue
            if fault.has_luck(self._seed, e164):
                continue
            fault.hits += 1
            return fault
        return None


def read(row: Mapping[str, Any]) -> Fault:
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
        e164=_plus(row.get("e164")),
        times=_whole("times", row.get("times", 1)),
        after=_whole("after", row.get("after", 0)),
        share=_number("share", row.get("share", 1.0), 1),
        seconds=_number("seconds", row.get("seconds", 30.0), LONGEST_S),
        effect=_effect(kind, row.get("effect")),
        **_said(kind, row),
    )


def _whole(name: str, told: Any) -> int:
    if isinstance(told, bool) or not isinstance(told, int) or told < 0:
        raise BadFault(f"a fault's {name} is one of the whole numbers from 0 on, not {told!r}", name)
    return told


def _number(name: str, told: Any, most: int) -> float:
    """Neither text nor a truth value, and not a NaN either: that is from 0 to nowhere."""
    if isinstance(told, bool) or not isinstance(told, int | float) or not 0 <= told <= most:
        raise BadFault(f"a fault's {name} is a number from 0 to {most}, not {told!r}", name)
    return float(told)


def _effect(kind: str, told: Any) -> bool:
    if told is None:
        return EFFECT[kind]
    if not isinstance(told, bool):  # the text "no" would else be a yes
        raise BadFault(f"a fault's effect is true or false, not {told!r}", "effect")
    if kind not in CHOOSES and told != EFFECT[kind]:
        raise BadFault(f"a fault of kind {kind} cannot choose its effect", "effect")
    return told


def _said(kind: str, row: Mapping[str, Any]) -> dict[str, Any]:
    said = {name: row[name] for name in SAYS if row.get(name) is not None}
    if kind == "fails_later":
        return _status(row, said)
    if kind != "error" and said:
        raise BadFault(f"a fault of kind {kind} has no {', '.join(said)}; kind error has", next(iter(said)))
    if kind == "error" and "code" not in said:
        raise BadFault("a fault of kind error needs its code")
    for name, value in said.items():
        if name == "details":
            if not isinstance(value, str):
                raise BadFault(f"a fault's details are a text, not {value!r}", name)
        else:
            _whole(name, value)
    if not 400 <= said.get("status", 400) <= 599:
        raise BadFault("a fault's status is from 400 to 599", "status")
    return said


def _status(row: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    code = said.get("code")
    if set(said) != {"code"} or isinstance(code, bool) or not isinstance(code, int):
        raise BadFault("a fault of kind fails_later has a code, a whole number, and nothing else to say")
    if row.get("route") not in SENDS:
        raise BadFault(f"a fault of kind fails_later is for the routes {' and '.join(SENDS)}")
    return {"code": code}


def _plus(e164: Any) -> str | None:
    if e164 is None or e164 == "*":
        return None
    return "+" + str(e164).strip().lstrip("+")
