"""The first page: what is down now, what people have to know of, the waves, and how many numbers are where."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from migration.operations.call_wording import limit_line
from migration.operations.service_wording import dark_since_text, duration_text, outage_text, seen_at
from migration.operations.wave_wording import canary_text, released_text
from migration.operations.wording import number_label, reason_text, whose_move
from migration.waves.next_command import acts_until, current_status, next_command
from migration.waves.notices import current_causes
from migration.web.site import Site
from state.enums import Party
from state.queries.figures import NO_NUMBERS, WaveCount
from state.rows import Position, WaveRow

MOST_SHOWN = 50
MOST_LOOKED_AT = 1_000  # numbers that need somebody; a page costs the same however many do


@dataclass(frozen=True, slots=True)
class Overview:
    site: Site

    def routes(self) -> list[Route]:
        return [
            Route("/", self.show, methods=["GET"]),
            Route("/causes/{cause:int}", self.take_over, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        session, queries = self.site.operator(request), self.site.app.queries
        figures, down, progress, (waves, causes) = await asyncio.gather(
            queries.figures.read(), queries.down.now(MOST_SHOWN), queries.figures.of_waves(), self._waves_and_causes()
        )
        return self.site.page(
            request,
            "overview.html",
            session,
            figures=figures,
            age=_age(figures.oldest_reading, figures.now),
            down=[down_card(position, figures.now) for position in down],
            more_down=max(figures.down - len(down), 0),
            causes=causes,
            tells=bool(self.site.app.admin.notify),
            looked_at=MOST_LOOKED_AT,
            waves=[wave_card(row, progress.get(row.id, NO_NUMBERS), figures.now) for row in waves],
            limits=[limit_line(limit) for limit in await queries.calls.holding_back()],
            halted=[row for row in await queries.fleet.profiles() if row["halted_at"] is not None],
        )

    async def _waves_and_causes(self) -> tuple[Sequence[WaveRow], list[Mapping[str, Any]]]:
        """Causes are of what is so now, with or without somebody who is told; those first that were found first."""
        waves, rows = await self.site.app.queries.waves.all(), await self.site.app.queries.notices.open_causes()
        told = {row.key: row for row in rows}
        found = await current_causes(self.site.app, rows, waves, most=MOST_LOOKED_AT)
        cards = [{"found": cause, "told": told.get(cause.key), "lines": len(cause.lines)} for cause in found]
        return waves, sorted(cards, key=lambda card: (card["told"] is None, card["told"].id if card["told"] else 0))

    async def take_over(self, request: Request) -> Response:
        session, _ = await self.site.change(request)
        cause = min(request.path_params["cause"], 2**62)
        await self.site.app.ledger.notices.acknowledge(cause, session.name)
        return RedirectResponse("/?done=taken#causes", 303)


def down_card(position: Position, now: datetime) -> dict[str, Any]:
    """Since when, whose move, until when, and how old the last reading is."""
    return {
        "ref": position.ref,
        "label": number_label(position),
        "customer": position.customer,
        "by_us": position.dark_by_us,
        "since": position.served_at or position.dark_from or position.dark_since,
        "outage": outage_text(position, now),
        "details": dark_since_text(position, now),
        "status": current_status(position, now),
        "step": position.next_step,
        "reason": reason_text(position, now),
        "next": next_command(position, now),
    } | move_of(position, now)


def move_of(position: Position, now: datetime) -> dict[str, Any]:
    """Who has to act, until when, and the age of the reading on which that rests."""
    party = whose_move(position, now)
    return {
        "move": position.customer if party == Party.CUSTOMER else {"us": "cutover", "meta": "Meta"}.get(party, party),
        "until": acts_until(position, now),
        "read_at": seen_at(position),
        "read": _age(seen_at(position), now),
    }


def wave_card(row: WaveRow, progress: WaveCount, now: datetime) -> Mapping[str, Any]:
    return {
        "row": row,
        "progress": progress,
        "canary": canary_text(row).removeprefix(", "),
        "released": released_text(row),
        "named": ", ".join(row.named),
        "ends_in": _age(now, row.window_end) if row.window_end is not None and row.window_end > now else None,
    }


def _age(since: datetime | None, now: datetime) -> str | None:
    return duration_text(max((now - since).total_seconds(), 0.0)) if since is not None else None
