"""Draw docs/fleet.svg from a kept demo: `cutover demo --keep --folder DIR`, then `python bench/picture.py DIR`.

Every bar is computed from the events in the demo's database. The picture is an animated SVG.
"""

import asyncio
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from state.database import open_database
from state.queries.queries import Queries
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
    """The sides of a number over time, as shares of the whole time from 0 to 1."""
    drawn: list[Bar] = []
    side, since = str(events[0].facts.get("side", "unknown")), first
    for event in events[1:]:
        new = str(event.facts.get("side", ""))
        if event.kind == "intent" and event.facts.get("step") in CROSSES and side == "on_premises":
            new = "unknown"
        if not new or new == side:
            continue
        drawn.append(Bar(_part(since, first, last), _part(event.at, first, last), side))
        side, since = new, event.at
    return [*drawn, Bar(_part(since, first, last), 1.0, side)]


def _part(at: datetime, first: datetime, last: datetime) -> float:
    return min(max((at - first) / (last - first), 0.0), 1.0)


async def events_by_number(home: Path) -> list[tuple[Position, list[EventRow]]]:
    database = open_database(f"sqlite+aiosqlite:///{home / 'cutover.db'}")
    queries = Queries(database, DatabaseClock())
    try:
        return [(at, list(await queries.records.events(at.migration_id))) for at in await queries.positions.board()]
    finally:
        await database.dispose()


FRAME = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {across} {height}" {font}>
<rect width="100%" height="100%" rx="8" fill="#10161d"/>
<text x="16" y="24" fill="#e8edf2" font-size="14">{title}</text>
<text x="16" y="42" fill="#93a1b0">{legend}</text>
<clipPath id="now"><rect x="{left}" y="0" height="{height}" width="{width}">
<animate attributeName="width" from="0" to="{width}" dur="{lasts}s" fill="freeze"/></rect></clipPath>
{names}
<g clip-path="url(#now)">
{bars}
</g>
{ticks}
</svg>
"""
LEGEND = "grey On-Premises, yellow a call is out, red on neither side, green Cloud; one worker is killed on the way"
FONT = 'font-family="ui-monospace,Menlo,monospace" font-size="11"'


def draw(rows: list[tuple[Position, list[EventRow]]]) -> str:
    first = min(event.at for _, events in rows for event in events[1:])
    last = max(event.at for _, events in rows for event in events)
    seconds = (last - first).total_seconds()
    height = TOP + ROW * len(rows) + 40
    names = [
        f'<text x="16" y="{TOP + ROW * place + 10}" fill="#93a1b0">{at.ref} {at.itinerary.lower()}</text>'
        for place, (at, _) in enumerate(rows)
    ]
    ticks = [
        f'<text x="{LEFT + tick / seconds * WIDTH:.0f}" y="{height - 14}" fill="#5d6b79">{tick} s</text>'
        for tick in range(0, int(seconds) + 1, 15)
    ]
    return FRAME.format(
        across=LEFT + WIDTH + 20,
        height=height,
        font=FONT,
        title=f"a fleet of {len(rows)} numbers, On-Premises to Cloud, in {seconds:.0f} s (sandbox)",
        legend=LEGEND,
        left=LEFT,
        width=WIDTH,
        lasts=LASTS,
        names="\n".join(names),
        bars="\n".join(_row(place, row, first, last) for place, row in enumerate(rows)),
        ticks="\n".join(ticks),
    )


def _row(place: int, row: tuple[Position, list[EventRow]], first: datetime, last: datetime) -> str:
    at, events = row
    drawn = []
    for bar in bars(events, first, last):
        # A number that is new to Cloud was on neither side before, so it is not dark.
        side = "new" if at.itinerary == "ONBOARD" and bar.side == "neither" else bar.side
        x, width = LEFT + bar.begin * WIDTH, max((bar.end - bar.begin) * WIDTH, 1.5)
        place_ = f'x="{x:.1f}" y="{TOP + ROW * place + 2}" width="{width:.1f}" height="{ROW - 5}"'
        drawn.append(f'<rect {place_} rx="2" fill="{SIDES[side]}"/>')
    return "\n".join(drawn)


if __name__ == "__main__":
    home = Path(sys.argv[1]) / "home"
    (Path(__file__).resolve().parents[1] / "docs" / "fleet.svg").write_text(draw(asyncio.run(events_by_number(home))))
