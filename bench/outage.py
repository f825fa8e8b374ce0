"""How long a number is dark beyond the far side's own time, for each itinerary at 1, 20 and 100 numbers at once.

Counted in the sandbox's record: from the effect of the stop to the arrival of `register`. The far side's own time is
what `register` takes itself; here it takes none, so that numbers compete for the mover as hard as they can.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from bench.baselines import run_script
from bench.homes import folder, imported, run_module
from bench.records import all_calls, world
from bench.served import served
from bench.sizes import scaled
from bench.table import Row

NUMBERS = {1: 5, 20: 30, 100: 100}  # by how many at once
SECONDS = 420
P50_S, P99_S, CROWD, AS_SCRIPT, ENDS_WITHIN = 0.100, 0.300, 100, 1.15, 1.15
# The kind is verified already, as the software meets it after a code was entered before the pause.
KINDS = {
    "WITH_BACKUP": {"kind": "healthy"},
    "CODE_FIRST": {"kind": "no_backup", "verified": True},
    "CODE_AFTER": {"kind": "no_backup", "verified": True},
}
CALLS = 20  # of the script: the outage lies between two of them
LIMIT = """Between the effect of the stop and the first byte of `register` lie: the end of the stop command's own
process, the proof that the client is gone, the outcome on the disk, the lease and the check of `register`, its intent
on the disk, and a fresh connection. `WITH_BACKUP` has none of it: `register` itself takes the number off On-Premises.
The script goes on when its stop command has exited, proves nothing and keeps nothing."""


@dataclass(frozen=True)
class Crossing:
    """Seconds of each number from the stop's effect to `register`, and the wave's own figures."""

    gaps: Sequence[float]
    at_once: int  # the most that were across
    result: Mapping[str, float]


def run() -> Iterator[Row]:
    yield _by_construction()
    for itinerary in ("CODE_FIRST", "CODE_AFTER"):
        for at_once, numbers in NUMBERS.items():
            ours = _ours(itinerary, at_once, scaled(numbers))
            plain = _script(itinerary, at_once, scaled(numbers))
            yield from _rows(f"{itinerary}, {at_once} at once", ours, plain, crowd=at_once == CROWD)


def _rows(what: str, ours: Crossing, plain: Crossing, *, crowd: bool) -> Iterator[Row]:
    ours_50, ours_99 = percentile(ours.gaps, 50), percentile(ours.gaps, 99)
    plain_50, plain_99 = percentile(plain.gaps, 50), percentile(plain.gaps, 99)
    yield Row(f"baseline, {what}: the script, p50 and p99", f"{_ms(plain_50)} and {_ms(plain_99)}")
    if not crowd:
        yield Row(f"{what}: p50", _ms(ours_50), f"{_ms(P50_S)} or less", ours_50 <= P50_S)
        yield Row(f"{what}: p99", _ms(ours_99), f"{_ms(P99_S)} or less", ours_99 <= P99_S)
        return
    yield Row(f"{what}: p50; most across at the same time", f"{_ms(ours_50)}; {ours.at_once}")
    share = ours_99 / plain_99
    asked = f"{AS_SCRIPT:g} times the script's or less"
    yield Row(f"{what}: p99", f"{_ms(ours_99)}, {share:.2f} times the script's", asked, share <= AS_SCRIPT)
    # The mover's own CPU is what an ideal schedule cannot go below: nothing may wait while it has nothing to do.
    ideal = ours.result["seconds"] / ours.result["cpu"]
    text = f"{ideal:.2f} times ({ours.result['seconds']:.0f} s)"
    yield Row(f"{what}: the wave's time against its CPU", text, f"{ENDS_WITHIN:g} times or less", ideal <= ENDS_WITHIN)


def _by_construction() -> Row:
    """The sandbox counts an outage from the last moment of either side; `register` takes no time in it here."""
    longest = 0.0
    for at_once, numbers in NUMBERS.items():
        with _imported("WITH_BACKUP", scaled(numbers), at_once) as (environment, manifest):
            run_module(environment, "bench.mover", "run", str(at_once))
            longest = max([longest, *(number["outage_s"] or 0.0 for number in world(manifest))])
    value = f"{longest:.3f} s"
    return Row("WITH_BACKUP, 1, 20 and 100 at once: longest beyond register itself", value, "0", longest == 0)


def _ours(itinerary: str, at_once: int, numbers: int) -> Crossing:
    with _imported(itinerary, numbers, at_once) as (environment, manifest):
        result = run_module(environment, "bench.mover", "run", str(at_once))
        return _crossing(manifest, result)


def _script(itinerary: str, at_once: int, numbers: int) -> Crossing:
    with folder() as room, served(*_sandbox(room, itinerary, numbers)) as (_, manifest, _):
        result = run_script(room, manifest, at_once, CALLS, "--stop")
        return _crossing(manifest, result)


def _crossing(manifest: Mapping[str, Any], result: Mapping[str, float]) -> Crossing:
    by_client = {number["instance"]: number["e164"] for number in manifest["numbers"]}
    stopped: dict[str, datetime] = {}
    registered: dict[str, datetime] = {}
    for call in all_calls(manifest):
        at = datetime.fromisoformat(call["at"])
        if call["side"] == "command":
            stopped.setdefault(by_client[Path(call["path"]).name], at)
        elif call["call"] == "register" and call["effect"]:
            registered[call["e164"]] = at
    if len(registered) < len(by_client):
        raise RuntimeError(f"{len(registered)} of {len(by_client)} moved")
    gaps = [(registered[e164] - at).total_seconds() for e164, at in stopped.items()]
    return Crossing(gaps, most_at_once([(at, registered[e164]) for e164, at in stopped.items()]), result)


def most_at_once(spans: Sequence[tuple[datetime, datetime]]) -> int:
    changes = sorted([(begin, 1) for begin, _ in spans] + [(end, -1) for _, end in spans])
    most = across = 0
    for _, change in changes:
        across += change
        most = max(most, across)
    return most


def percentile(values: Sequence[float], percent: int) -> float:
    """The smallest value that so many of them do not exceed."""
    return sorted(values)[math.ceil(len(values) * percent / 100) - 1]


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


@contextmanager
def _imported(itinerary: str, numbers: int, at_once: int) -> Iterator[tuple[dict[str, str], dict[str, Any]]]:
    with folder() as room:
        sandbox = _sandbox(room, itinerary, numbers)
        with imported(*sandbox, at_once=at_once, columns={"itinerary": itinerary}) as (environment, manifest):
            yield environment, manifest


def _sandbox(room: Path, itinerary: str, numbers: int) -> tuple[str, ...]:
    path = room / "fleet.yaml"
    path.write_text(yaml.safe_dump({"numbers": [KINDS[itinerary] | {"count": numbers}]}))
    return "--scenario", str(path), "--switch", "management_limits=off"
