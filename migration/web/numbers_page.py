"""All numbers, a page at a time, by wave, customer, status, whose move it is, and what blocks them."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import urlencode

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from migration.operations.proof_wording import proof_text
from migration.operations.service_wording import outage_text, side_text
from migration.operations.wording import reason_text, whose_move
from migration.scrubbing.masking import masked
from migration.waves.next_command import acts_until, current_status, next_command
from migration.web.site import Site
from state.enums import Party, Status
from state.queries.listing import ListingQueries, NumberCounts, NumberFilter
from state.rows import AnyPosition

ON_A_PAGE = 100
MOST_PAGES = 100_000
KEPT_FOR_S = 3.0
MOST_KEPT = 100
FILTERS = ("wave", "customer", "status", "waits_for", "blocked_by")
Choice = TypeVar("Choice", Party, Status)


class KeptCounts:
    """Counts of a fleet, kept for some seconds: they are for choosing among, and cost more than a page of the list."""

    def __init__(self, queries: ListingQueries, seconds: Callable[[], float]) -> None:
        self._queries = queries
        self._seconds = seconds
        self._kept: OrderedDict[NumberFilter, tuple[float, NumberCounts]] = OrderedDict()

    async def of(self, chosen: NumberFilter) -> NumberCounts:
        now = self._seconds()
        at, counts = self._kept.get(chosen, (float("-inf"), NumberCounts()))
        if now - at > KEPT_FOR_S:
            counts = await self._queries.counts(chosen)
            self._kept[chosen] = now, counts
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return counts


@dataclass(slots=True)
class NumbersPage:
    site: Site
    counts: KeptCounts = field(init=False)

    def __post_init__(self) -> None:
        self.counts = KeptCounts(self.site.app.queries.listing, self.site.app.clock.boot_time)

    def routes(self) -> list[Route]:
        return [
            Route("/numbers", self.show, methods=["GET"]),
            Route("/numbers", self.find, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        session, queries = self.site.operator(request), self.site.app.queries
        chosen, number = filter_of(request.query_params), page_number(request.query_params.get("page", ""))
        found = await queries.listing.page(chosen, offset=(number - 1) * ON_A_PAGE, limit=ON_A_PAGE + 1)
        now, everything = await queries.now(), await self.counts.of(NumberFilter())
        counts = await self.counts.of(chosen)
        kept = {name: value for name in FILTERS if (value := request.query_params.get(name, ""))}
        return self.site.page(
            request,
            "numbers.html",
            session,
            rows=[row_of(one, now) for one in found[:ON_A_PAGE]],
            total=counts.total,
            number=number,
            pages=max(-(-counts.total // ON_A_PAGE), 1),
            before=_link(kept, number - 1) if number > 1 else None,
            after=_link(kept, number + 1) if len(found) > ON_A_PAGE else None,
            chosen={name: kept.get(name, "") for name in FILTERS},
            everything=everything,
            now=now,
        )

    async def find(self, request: Request) -> Response:
        """A form, because a phone number in an address would stand in a browser's history."""
        _, form = await self.site.change(request)
        position = await self.site.app.queries.positions.find(form.get("number").strip()[:60])
        return RedirectResponse(f"/numbers/{position.ref}", 303)


def filter_of(typed: QueryParams) -> NumberFilter:
    """What cannot be filtered by is left out, so an address that somebody kept shows a page all the same."""
    given = {name: typed.get(name, "").replace("\0", "") for name in FILTERS}
    return NumberFilter(
        wave=given["wave"] or None,
        customer=given["customer"] or None,
        status=_one_of(Status, given["status"]),
        waits_for=_one_of(Party, given["waits_for"]),
        blocked_by=given["blocked_by"] or None,
    )


def _one_of(choices: type[Choice], typed: str) -> Choice | None:
    return next((choice for choice in choices if choice.value == typed), None)


def page_number(typed: str) -> int:
    """From 1; what is no number is the first page."""
    given = int(typed) if typed.isascii() and typed.isdecimal() and len(typed) < 10 else 1
    return min(max(given, 1), MOST_PAGES)


def _link(kept: Mapping[str, str], number: int) -> str:
    return f"/numbers?{urlencode(dict(kept) | {'page': str(number)})}"


def row_of(one: AnyPosition, now: datetime) -> dict[str, Any]:
    return {
        "ref": one.ref,
        "number": masked(one.e164),
        "customer": one.customer,
        "wave": one.wave,
        "status": current_status(one, now),
        "step": one.next_step,
        "side": side_text(one, now),
        "proof": proof_text(one),
        "outage": outage_text(one, now),
        "dark": one.dark_from is not None and one.ended_at is None,
        "move": whose_move(one, now),
        "until": acts_until(one, now),
        "reason": reason_text(one, now),
        "next": next_command(one, now),
    }
