"""One wave: how far it is, when it will be done at this pace, who decided what, and its controls."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from migration.operations import waves
from migration.operations.approval import not_crossed, numbers_of, recorded_rollback_options
from migration.operations.service_wording import duration_text
from migration.operations.wave_wording import ENDED_STATES, next_wave_command, wave_event_text, wave_line
from migration.scrubbing.rendering import for_cell
from migration.steps.rollback_options import summarize_rollbacks
from migration.web.answers import Refused
from migration.web.bodies import Form
from migration.web.overview import wave_card
from migration.web.site import Site
from state.enums import Released, WaveState
from state.errors import NotFound
from state.queries.figures import NO_NUMBERS
from state.rows import Position, WaveRow

WAYS_BACK_OF = 100  # numbers whose way back is looked up before a release; more take too long for a page
PARTS = ("canary", "all", "some")


@dataclass(frozen=True, slots=True)
class WavePage:
    site: Site

    def routes(self) -> list[Route]:
        return [
            Route("/waves/{wave:int}", self.show, methods=["GET"]),
            Route("/waves/{wave:int}/begin", self.begin, methods=["POST"]),
            Route("/waves/{wave:int}/hold", self.hold, methods=["POST"]),
            Route("/waves/{wave:int}/release", self.ask_release, methods=["GET"]),
            Route("/waves/{wave:int}/release", self.release, methods=["POST"]),
            Route("/waves/{wave:int}/concurrency", self.concurrency, methods=["POST"]),
            Route("/waves/{wave:int}/stop", self.stop, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        session, row = self.site.operator(request), await self._wave(request)
        queries = self.site.app.queries
        now, progress = await queries.now(), (await queries.figures.of_waves(row.id)).get(row.id, NO_NUMBERS)
        pace = await queries.pace.of_wave(row.id)
        left = pace.left_s(progress.total - progress.ended)
        return self.site.page(
            request,
            "wave.html",
            session,
            **wave_card(row, progress, now),
            now=now,
            line=wave_line(row),
            proofs=await queries.figures.by_proof(row.id),
            left=duration_text(left) if left is not None else None,
            ended_lately=pace.ended,
            next=next_wave_command(row, now),
            events=[(event, wave_event_text(event)) for event in await queries.waves.events(row.name)],
            may=may_press(row),
        )

    async def _wave(self, request: Request) -> WaveRow:
        """By its id: a name may hold anything. Raises NotFound."""
        for row in await self.site.app.queries.waves.all():
            if row.id == request.path_params["wave"]:
                return row
        raise NotFound("there is no such wave; the first page lists them")

    # -- what may be pressed

    async def begin(self, request: Request) -> Response:
        session, _ = await self.site.change(request)
        row = await self._wave(request)
        await waves.begin_wave(self.site.app, row.name, session.name)
        return _back(row, "wave-begun")

    async def hold(self, request: Request) -> Response:
        session, form = await self.site.change(request)
        row = await self._wave(request)
        reason = _text(form, "because") or f"held by {session.name}"
        await waves.hold_wave(self.site.app, row.name, reason, session.name)
        return _back(row, "wave-held")

    async def ask_release(self, request: Request) -> Response:
        """What a release would let cross, and what of it could go back, before somebody presses."""
        session, row = self.site.operator(request), await self._wave(request)
        part, refs = _part(request.query_params.get("part", "")), _refs(request.query_params.get("only", ""))
        crossing = await self._crossing(row, part, refs)
        options = await recorded_rollback_options(self.site.app.queries, crossing[:WAYS_BACK_OF])
        return self.site.page(
            request,
            "release.html",
            session,
            row=row,
            part=part,
            only=" ".join(refs),
            crossing=[one.ref for one in crossing[:WAYS_BACK_OF]],
            count=len(crossing),
            ways_back=summarize_rollbacks(options),
        )

    async def _crossing(self, row: WaveRow, part: str, refs: Sequence[str]) -> list[Position]:
        """Raises Refused for `some` without numbers, OperationRefused for one that is not in the wave."""
        if part == "some":
            if not refs:
                raise Refused(422, "name the numbers, as in N-0001 N-0002; nothing was changed")
            found = await waves.find_wave_numbers(self.site.app, row.name, refs)
            return [one for one in not_crossed(found) if not one.hold]
        board = await self.site.app.queries.positions.board(wave=row.name)
        return numbers_of(Released.CANARY if part == "canary" else Released.ALL, board)

    async def release(self, request: Request) -> Response:
        session, form = await self.site.change(request)
        row, part, refs = await self._wave(request), _part(form.get("part")), _refs(form.get("only"))
        if part == "some" and not refs:
            raise Refused(422, "name the numbers, as in N-0001 N-0002; nothing was changed")
        only = refs if part == "some" else []
        await waves.release_wave(self.site.app, row.name, canary=part == "canary", only=only, by=session.name)
        return _back(row, "wave-released")

    async def concurrency(self, request: Request) -> Response:
        session, form = await self.site.change(request)
        row, typed = await self._wave(request), form.get("concurrency").strip()
        if not (typed.isascii() and typed.isdecimal() and len(typed) <= 6):
            raise Refused(422, "type a number; nothing was changed")
        await waves.change_concurrency(self.site.app, row.name, int(typed), session.name)
        return _back(row, "wave-concurrency")

    async def stop(self, request: Request) -> Response:
        session, form = await self.site.change(request)
        row, reason = await self._wave(request), _text(form, "because")
        if form.get("confirm").strip() not in (row.name, for_cell(row.name)):
            raise Refused(422, f"type the wave's name, {row.name}, to confirm; nothing was changed")
        if not reason:
            raise Refused(422, "give a reason: whoever comes next reads it. Nothing was changed")
        await waves.stop_wave(self.site.app, row.name, reason, session.name)
        return _back(row, "wave-stopped")


def may_press(row: WaveRow) -> Mapping[str, Any]:
    over, held = row.state in ENDED_STATES, row.state in (WaveState.HELD, WaveState.HALTED)
    return {
        "begin": row.state is WaveState.PLANNED,
        "hold": row.state in (WaveState.PLANNED, WaveState.RUNNING),
        "release": not over and (held or row.released != Released.ALL),
        "canary": bool(row.canary),
        "stop": not over,
    }


def _part(typed: str) -> str:
    if typed not in PARTS:
        raise Refused(422, f"release one of {', '.join(PARTS)}; nothing was changed")
    return typed


def _refs(typed: str) -> list[str]:
    return typed.replace(",", " ").split()[:500]


def _text(form: Form, name: str) -> str:
    return " ".join(form.get(name).split())[:300]


def _back(row: WaveRow, done: str) -> Response:
    return RedirectResponse(f"/waves/{row.id}?done={done}", 303)
