"""Draw docs/fleet.svg from a kept demo: `cutover demo --keep --folder DIR`, then `python docs/picture.py DIR`.

Every bar is computed from the events in the demo's database; nothing is drawn by hand. Moving, because it is an SVG.
"""

import asyncio
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from state.database import open_database
from state.queries import Queries
from state.rows import EventRow, Position
from state.types import DatabaseClock

ROW, LEFT, WIDTH, TOP, LASTS = 15, 168, 620, 56, 14
SIDES = {"on_premises": "#7a8794", "unknown": "#e3b341", "neither": "#e0533d", "cloud": "#1f9d61", "new": "#3b4754"}
CROSSES = ("register", "deregister_onprem")


@dataclass(frozen=True)
class Bar:
    begin: float
    end: float
    side: str


def bars(events: list[EventRow], first: datetime, last: datetime) -> list[Bar]:
    """Where a number was, from when to when; red is neither side, or not known to be on one."""
    found: list[Bar] = []
    side, since = str(events[0].facts.get("side", "unknown")), first
    for event in events[1:]:
        new = str(event.facts.get("side", ""))
        if event.kind == "intent" and event.facts.get("step") in CROSSES and side == "on_premises":
            new = "unknown"
        if not new or new == side:
            continue
        found.append(Bar(_part(since, first, last), _part(event.at, first, last), side))
        side, since = new, event.at
    return [*found, Bar(_part(since, first, last), 1.0, side)]


def _part(at: datetime, first: datetime, last: datetime) -> float:
    return min(max((at - first) / (last - first), 0.0), 1.0)


async def story(home: Path) -> list[tuple[Position, list[EventRow]]]:
    database = open_database(f"sqlite+aiosqlite:///{home / 'cutover.db'}")
    queries = Queries(database, DatabaseClock())
    try:
        return [(at, list(await queries.events(at.migration_id))) for at in await queries.board()]
    finally:
        await database.dispose()


def draw(told: list[tuple[Position, list[EventRow]]]) -> str:
    first = min(event.at for _, events in told for event in events[1:])
    last = max(event.at for _, events in told for event in events)
    seconds = (last - first).total_seconds()
    height = TOP + ROW * len(told) + 40
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 20} {height}" font-family="ui-monospace,Menlo,monospace" font-size="11">',
        f'<rect width="100%" height="100%" rx="8" fill="#10161d"/>',
        f'<text x="16" y="24" fill="#e8edf2" font-size="14">a fleet of {len(told)} numbers, On-Premises to Cloud, in {seconds:.0f} s (sandbox)</text>',
        f'<text x="16" y="42" fill="#93a1b0">grey On-Premises, yellow a call is out, red on neither side, green Cloud; one worker is killed on the way</text>',
        f'<clipPath id="now"><rect x="{LEFT}" y="0" height="{height}" width="{WIDTH}"><animate attributeName="width" from="0" to="{WIDTH}" dur="{LASTS}s" fill="freeze"/></rect></clipPath>',
    ]
    for place, (at, _) in enumerate(told):
        y = TOP + ROW * place
        parts.append(f'<text x="16" y="{y + 10}" fill="#93a1b0">{at.ref} {at.itinerary.lower()}</text>')
    parts.append('<g clip-path="url(#now)">')
    for place, (at, events) in enumerate(told):
        y = TOP + ROW * place
        new = at.itinerary == "ONBOARD"  # was nowhere before, so it is not dark
        for bar in bars(events, first, last):
            side = "new" if new and bar.side == "neither" else bar.side
            x, width = LEFT + bar.begin * WIDTH, max((bar.end - bar.begin) * WIDTH, 1.5)
            parts.append(
                f'<rect x="{x:.1f}" y="{y + 2}" width="{width:.1f}" height="{ROW - 5}" rx="2" fill="{SIDES[side]}"/>'
            )
    parts.append("</g>")
    for tick in range(0, int(seconds) + 1, 15):
        x = LEFT + tick / seconds * WIDTH
        parts.append(f'<text x="{x:.0f}" y="{height - 14}" fill="#5d6b79" text-anchor="middle">{tick} s</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


if __name__ == "__main__":
    home = Path(sys.argv[1]) / "home"
    (Path(__file__).parent / "fleet.svg").write_text(draw(asyncio.run(story(home))))
