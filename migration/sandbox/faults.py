"""Faults as data: what goes wrong, on which route, for whom, how often. The first that matches strikes."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

Kind = Literal[
    "refuse",
    "reset_before",
    "lost_answer",
    "slow",
    "429",
    "500",
    "html",
    "truncated",
    "empty",
    "lag",
]
KINDS: tuple[str, ...] = get_args(Kind)
# Whether the call has its effect where the fault does not say. Those after it are the ones that matter.
EFFECT: Mapping[str, bool] = {
    "refuse": False,
    "reset_before": False,
    "lost_answer": True,
    "slow": True,
    "429": False,
    "500": False,
    "html": False,
    "truncated": True,
    "empty": True,
    "lag": True,
}
# Only these may say otherwise; for the rest the effect is what their name means.
CHOOSES = frozenset({"500", "html", "empty", "slow"})


class BadFault(ValueError):
    """A fault that says something it cannot."""


@dataclass(slots=True)
class Fault:
    """`times` 0 means for ever; `after` calls pass first; `seconds` for slow and lag."""

    route: str
    kind: str
    e164: str | None = None
    times: int = 1
    after: int = 0
    seconds: float = 30.0
    effect: bool = True
    hits: int = 0
    passed: int = 0

    def matches(self, call: str, e164: str | None) -> bool:
        if self.route not in ("*", call):
            return False
        return self.e164 is None or self.e164 == e164

    @property
    def spent(self) -> bool:
        return self.times != 0 and self.hits >= self.times

    def as_json(self) -> dict[str, Any]:
        return {
            "route": self.route,
            "kind": self.kind,
            "e164": self.e164,
            "times": self.times,
            "after": self.after,
            "seconds": self.seconds,
            "effect": self.effect,
            "hits": self.hits,
        }


class Faults:
    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._faults = list(faults)

    def add(
        self,
        route: str,
        kind: str,
        e164: str | None = None,
        times: int = 1,
        after: int = 0,
        seconds: float = 30.0,
        effect: bool | None = None,
    ) -> Fault:
        """Raises BadFault."""
        fault = read(
            {"route": route, "kind": kind, "e164": e164, "times": times, "after": after, "seconds": seconds}
            | ({"effect": effect} if effect is not None else {})
        )
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
            fault.hits += 1
            return fault
        return None


def read(row: Mapping[str, Any]) -> Fault:
    """One fault from JSON or YAML. Raises BadFault."""
    unknown = set(row) - {"route", "kind", "e164", "times", "after", "seconds", "effect"}
    if unknown:
        raise BadFault(f"a fault has no {', '.join(sorted(unknown))}")
    kind = str(row.get("kind"))
    if kind not in KINDS:
        raise BadFault(f"a fault's kind is one of {', '.join(KINDS)}, not {row.get('kind')!r}")
    effect = EFFECT[kind]
    if row.get("effect") is not None:
        if kind not in CHOOSES and bool(row["effect"]) != effect:
            raise BadFault(f"a fault of kind {kind} cannot choose its effect")
        effect = bool(row["effect"])
    try:
        return Fault(
            route=str(row.get("route") or "*"),
            kind=kind,
            e164=_plus(row.get("e164")),
            times=int(row.get("times", 1)),
            after=int(row.get("after", 0)),
            seconds=float(row.get("seconds", 30.0)),
            effect=effect,
        )
    except (TypeError, ValueError):
        raise BadFault("a fault's times, after and seconds are numbers") from None


def _plus(e164: Any) -> str | None:
    if e164 is None or e164 == "*":
        return None
    return "+" + str(e164).strip().lstrip("+")
