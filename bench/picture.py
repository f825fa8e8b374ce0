"""Draw docs/fleet.svg from a kept demo: `cutover demo --keep --folder DIR`, then `python bench/picture.py DIR`.

Every bar is computed from the events in the demo's database; nothing is drawn by hand. The SVG is animated.
"""

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from state.database import open_database
from state.queries.queries import Queries
from state.rows import EventRow, Position
from state.types import DatabaseClock

ROW, LEFT, WIDTH, TOP, DURATION_S = 15, 168, 620, 56, 14
SIDES = {"on_premises": "#7a8794", "unknown": "#e3b341", "neither": "#e0533d", "cloud": "#1f9d61", "new": "#3b4754"}
CROSSING_STEPS = ("register", "deregister_onprem")
History = tuple[Position, Sequence[EventRow]]


@dataclass(frozen=True)
class Bar:
    """`begin` and `end` are shares of the whole time, from 0 to 1."""

    begin: float
    end: float
    side: str


def bars(events: Sequence[EventRow], first: datetime, last: datetime) -> list[Bar]:
    """On which side a number was, and when. From a call that may move it until its outcome, the side is unknown."""
    result: list[Bar] = []
    side, since = str(events[0].facts.get("side", "unknown")), first
    for event in events[1:]:
        new_side = str(event.facts.get("side", ""))
        is_crossing = event.kind == "intent" and event.facts.get("step") in CROSSING_STEPS
        if is_crossing and side == "on_premises":
            new_side = "unknown"
        if not new_side or new_side == side:
            continue
        result.append(Bar(_share(since, first, last), _share(event.at, first, last), side))
        side, since = new_side, event.at
    return [*result, Bar(_share(since, first, last), 1.0, side)]


def _share(time: datetime, first: datetime, last: datetime) -> float:
    return min(max((time - first) / (last - first), 0.0), 1.0)


async def read_histories(home: Path) -> list[History]:
    database = open_database(f"sqlite+aiosqlite:///{home / 'cutover.db'}")
    queries = Queries(database, DatabaseClock())
    try:
        board = await queries.positions.board()
        return [(position, await queries.records.events(position.migration_id)) for position in board]
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


def draw(histories: Sequence[History]) -> str:
    first = min(event.at for _, events in histories for event in events[1:])
    last = max(event.at for _, events in histories for event in events)
    seconds = (last - first).total_seconds()
    height = TOP + ROW * len(histories) + 40
    names = [
        f'<text x="16" y="{TOP + ROW * index + 10}" fill="#93a1b0">{position.ref} {position.itinerary.lower()}</text>'
        for index, (position, _) in enumerate(histories)
    ]
    ticks = [
        f'<text x="{LEFT + tick / seconds * WIDTH:.0f}" y="{height - 14}" fill="#5d6b79">{tick} s</text>'
        for tick in range(0, int(seconds) + 1, 15)
    ]
    return FRAME.format(
        across=LEFT + WIDTH + 20,
        height=height,
        font=FONT,
        title=f"a fleet of {len(histories)} numbers, On-Premises to Cloud, in {seconds:.0f} s (sandbox)",
        legend=LEGEND,
        left=LEFT,
        width=WIDTH,
        lasts=DURATION_S,
        names="\n".join(names),
        bars="\n".join(_draw_row(index, history, first, last) for index, history in enumerate(histories)),
        ticks="\n".join(ticks),
    )


def _draw_row(index: int, history: History, first: datetime, last: datetime) -> str:
    position, events = history
    rectangles = []
    for bar in bars(events, first, last):
        # A number that is new to Cloud was on no side before, so it is not dark.
        side = "new" if position.itinerary == "ONBOARD" and bar.side == "neither" else bar.side
        x, width = LEFT + bar.begin * WIDTH, max((bar.end - bar.begin) * WIDTH, 1.5)
        geometry = f'x="{x:.1f}" y="{TOP + ROW * index + 2}" width="{width:.1f}" height="{ROW - 5}"'
        rectangles.append(f'<rect {geometry} rx="2" fill="{SIDES[side]}"/>')
    return "\n".join(rectangles)


if __name__ == "__main__":
    demo_home = Path(sys.argv[1]) / "home"
    picture = Path(__file__).resolve().parents[1] / "docs" / "fleet.svg"
    picture.write_text(draw(asyncio.run(read_histories(demo_home))))
