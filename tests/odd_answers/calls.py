"""Every call of the clients, with the longest that it may take, and a run of so many odd answers through them."""

import asyncio
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

import httpx
from pydantic import SecretStr

from migration.clients.graph import GraphApi
from migration.clients.http import BACKUP_S, LISTING_S, READ_S, READING_S, REGISTER_S, WRITE_S, HttpClient
from migration.clients.onprem import OnPremApi
from migration.clients.onprem_login import LoginSession
from migration.clients.profile_picture import Picture
from migration.clients.traffic_hooks import TrafficHooks
from migration.errors import MigrationError
from tests.harness.virtual_time import VirtualClock, run_virtually
from tests.odd_answers.generator import OddAnswers

PIN = SecretStr("482913")
PICTURE = Picture(b"\x89PNG\r\n\x1a\n", "image/png")
ASK = "https://senders.test/ask"
Clients = tuple[GraphApi, OnPremApi, TrafficHooks]
Call = Callable[[GraphApi, OnPremApi, TrafficHooks, float], Awaitable[Any]]
CALLS: dict[str, tuple[Call, float]] = {
    "number": (lambda g, o, h, by: g.number("1"), READ_S),
    "numbers": (lambda g, o, h, by: g.numbers("1"), LISTING_S),
    "subscribed_apps": (lambda g, o, h, by: g.subscribed_apps("1"), LISTING_S),
    "certificate": (lambda g, o, h, by: g.certificate("1"), READ_S),
    "settings": (lambda g, o, h, by: g.settings("1"), READ_S),
    "profile": (lambda g, o, h, by: g.profile("1"), READ_S),
    "health": (lambda g, o, h, by: g.health("1"), READ_S),
    "details": (lambda g, o, h, by: g.details("1"), READ_S),
    "details_of_all": (lambda g, o, h, by: g.details_of_all("1"), LISTING_S),
    "approved_templates": (lambda g, o, h, by: g.approved_templates("1"), READ_S),
    "debug_token": (lambda g, o, h, by: g.debug_token(), READ_S),
    "register": (lambda g, o, h, by: g.register("1", PIN, None, send_by=by), REGISTER_S),
    "deregister": (lambda g, o, h, by: g.deregister("1", send_by=by), WRITE_S),
    "request_code": (lambda g, o, h, by: g.request_code("1", "SMS", "en", send_by=by), WRITE_S),
    "verify_code": (lambda g, o, h, by: g.verify_code("1", PIN, send_by=by), WRITE_S),
    "set_pin": (lambda g, o, h, by: g.set_pin("1", PIN, send_by=by), WRITE_S),
    "subscribe": (lambda g, o, h, by: g.subscribe("1", send_by=by), WRITE_S),
    "set_storage": (lambda g, o, h, by: g.set_storage("1", "BR", send_by=by), WRITE_S),
    "send_template": (lambda g, o, h, by: g.send_template("1", "+15550100000", "t", "en", "c", send_by=by), WRITE_S),
    "send_text": (lambda g, o, h, by: g.send_text("1", "+15550100000", "Hello", "c", send_by=by), WRITE_S),
    "upload_picture": (lambda g, o, h, by: g.upload_picture("1", PICTURE, send_by=by), 2 * WRITE_S),
    "set_profile": (lambda g, o, h, by: g.set_profile("1", {}, send_by=by), WRITE_S),
    "instance reading": (lambda g, o, h, by: o.reading(), READ_S),
    "instance login": (lambda g, o, h, by: o.login(), READING_S),
    "instance health": (lambda g, o, h, by: o.health(), READING_S),
    "instance profile": (lambda g, o, h, by: o.profile(), READ_S),
    "instance record": (lambda g, o, h, by: o.record(), READ_S),
    "instance counters": (lambda g, o, h, by: o.message_calls(), READ_S),
    "instance queue": (lambda g, o, h, by: o.callback_queue(), READ_S),
    "instance backup": (lambda g, o, h, by: o.backup(PIN), BACKUP_S),
    "instance PIN": (lambda g, o, h, by: o.set_two_step(PIN, send_by=by), WRITE_S),
    "instance restore": (lambda g, o, h, by: o.restore(PIN, PIN, send_by=by), BACKUP_S),
    "instance asks": (lambda g, o, h, by: o.request_code("1", "55501", "sms", "c", PIN, send_by=by), WRITE_S),
    "instance code": (lambda g, o, h, by: o.verify_code(PIN, send_by=by), WRITE_S),
    "announcement": (lambda g, o, h, by: h.announce({"e164": "+15550104321"}, "k", send_by=by), WRITE_S),
    "ask": (lambda g, o, h, by: h.ask(ASK, "k", {}), READ_S),
}


@dataclass
class Tally:
    outcomes: Counter[str] = field(default_factory=Counter)
    outside_our_tree: list[str] = field(default_factory=list)
    too_long: list[str] = field(default_factory=list)

    @property
    def answers(self) -> int:
        return self.outcomes.total()


def clients(answers: OddAnswers, clock: VirtualClock) -> Clients:
    def http() -> HttpClient:
        return HttpClient(httpx.MockTransport(answers), clock)

    graph = GraphApi(http(), http, "https://graph.test/v25.0", SecretStr("EAAGtoken"), SecretStr("app-secret"))
    onprem = OnPremApi(http(), "https://client.test", "admin", SecretStr("password"), LoginSession(), "client-1")
    return graph, onprem, TrafficHooks(http(), "https://senders.test/hook", SecretStr("hook-secret"))


@contextmanager
def python_s_own_limit() -> Iterator[None]:
    """The limit of recursion that a command has, not the higher one of a test runner."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(1000)
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def send_through_every_client(count: int, seed: int) -> Tally:
    """`count` calls, each kind in turn, each answered oddly; in virtual time."""
    tally = Tally()

    async def work(clock: VirtualClock) -> None:
        everything = clients(OddAnswers(seed), clock)
        for _, (name, (call, longest)) in zip(range(count), cycle(CALLS.items()), strict=False):
            began = clock.boot_time()
            try:
                await call(*everything, began + 1e6)
                outcome = "answered"
            except MigrationError as exc:
                outcome = type(exc).__name__
            except Exception as exc:  # noqa: BLE001  what this is about
                outcome = "outside"
                tally.outside_our_tree.append(f"{name}: {exc!r}"[:300])
            if clock.boot_time() - began > longest + 0.1:
                tally.too_long.append(f"{name}: {clock.boot_time() - began:.1f} s")
            tally.outcomes[outcome] += 1
            await asyncio.sleep(0)

    run_virtually(work)
    return tally
