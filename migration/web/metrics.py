"""`/metrics` for Prometheus and `/healthz` for whoever restarts processes. Counts only: no number, name or secret.

https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from migration.app import App
from migration.web.webhooks.counts import WebhookCounts
from state.queries.figures import Figures

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Probes:
    app: App
    webhooks: WebhookCounts

    def routes(self) -> list[Route]:
        return [
            Route("/healthz", self.health, methods=["GET"]),
            Route("/metrics", self.metrics, methods=["GET"]),
        ]

    async def health(self, _request: Request) -> Response:
        """Whether this process answers and reaches its database."""
        await self.app.queries.now()
        return JSONResponse({"status": "ok"})

    async def metrics(self, _request: Request) -> Response:
        lines = [*metric_lines(await self.app.queries.figures.read()), *webhook_lines(self.webhooks)]
        return PlainTextResponse("\n".join([*lines, ""]), headers={"content-type": CONTENT_TYPE})


def metric_lines(figures: Figures) -> Iterator[str]:
    """All are gauges: what is true now."""
    yield from _by("cutover_numbers", "Numbers by the status of their newest migration.", "status", figures.by_status)
    yield from _by("cutover_numbers_by_side", "Numbers by the side on record.", "side", figures.by_side)
    proofs = "Moved numbers by what has proved that they work; registered alone is not proved."
    yield from _by(
        "cutover_moved", proofs, "proof", {name.replace(" ", "_"): count for name, count in figures.by_proof.items()}
    )
    yield from _one("cutover_numbers_without_migration", "Imported numbers without one.", figures.without_migration)
    yield from _one("cutover_dark", "Numbers on neither side by their last reading.", figures.dark)
    yield from _one("cutover_dark_by_us", "Numbers that a call of ours may have taken down.", figures.dark_by_us)
    yield from _one("cutover_dark_by_us_longest_seconds", "Since the last moment of service.", figures.dark_for_s)
    yield from _one("cutover_waiting_for_code", "Numbers that wait for a code.", figures.waiting_for_code)
    oldest = figures.oldest_reading
    age = max((figures.now - oldest).total_seconds(), 0.0) if oldest is not None else 0.0
    yield from _one("cutover_oldest_reading_seconds", "Age of the oldest reading of a live number.", age)
    yield from _by("cutover_waves", "Waves by state.", "state", figures.waves)
    yield from _by("cutover_open_causes", "What people have to know of now.", "kind", figures.open_causes)
    yield from _one("cutover_unsent_messages", "Messages to people that no target has taken.", figures.unsent_messages)
    yield from _one(
        "cutover_unconfirmed_announcements",
        "Announcements to senders without an answer.",
        figures.unconfirmed_announcements,
    )


def webhook_lines(counts: WebhookCounts) -> Iterator[str]:
    """Counters: since this process was started."""
    updates = {
        "received": counts.received,
        "stored": counts.stored,
        "duplicate": counts.duplicates,
        "not_ours": counts.not_ours,
    }
    name, posts = "cutover_webhook_updates_total", "cutover_webhook_posts_refused_total"
    yield from _by(name, "Updates in signed webhooks.", "what", updates, "counter")
    yield from _by(posts, "Webhooks that were not taken.", "reason", counts.refused, "counter")


def _head(name: str, explanation: str, kind: str = "gauge") -> Iterator[str]:
    yield f"# HELP {name} {explanation}"
    yield f"# TYPE {name} {kind}"


def _one(name: str, explanation: str, value: float) -> Iterator[str]:
    yield from _head(name, explanation)
    yield f"{name} {round(value, 1)}"


def _by(name: str, explanation: str, label: str, values: Mapping[str, int], kind: str = "gauge") -> Iterator[str]:
    yield from _head(name, explanation, kind)
    for value, count in sorted(values.items()):
        yield f'{name}{{{label}="{value}"}} {count}'
