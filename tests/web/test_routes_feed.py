"""The feed of routes for the partner's routers: who may read it, what it says, and what has changed since."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from migration.errors import BadSetting
from migration.web.routes_feed import PATH, RouterStream, RoutesFeed
from tests.web.conftest import MakeWeb, Web

TOKEN = "router-token-of-twenty-four"
OF_ACME = "another-router-token-for-acme"
ADMIN = """
[web.routers.all]
token = { env = "ROUTER_TOKEN" }
[web.routers.acme]
token = { env = "ACME_TOKEN" }
customers = ["Nobody"]
"""


@pytest.fixture
async def fed(make_web: MakeWeb, monkeypatch: pytest.MonkeyPatch) -> Web:
    monkeypatch.setenv("ROUTER_TOKEN", TOKEN)
    monkeypatch.setenv("ACME_TOKEN", OF_ACME)
    return await make_web(admin=ADMIN, kinds=("healthy", "healthy"), columns={"hook": "senders"})


async def ask(web: Web, place: str = "", token: str = TOKEN, **headers: str) -> httpx.Response:
    """All of a test's questions go to one process: the place in the feed is its own."""
    web.harness.clock.advance(1)
    web.made = web.made or [web.outside()]
    sent = {"authorization": f"Bearer {token}", **headers}
    return await web.made[0].get(PATH, params={"since": place} if place else None, headers=sent)


async def test_only_a_router_s_token_opens_it_and_guesses_are_slowed(fed: Web) -> None:
    async with fed.outside() as client:
        assert (await client.get(PATH)).status_code == 401
        answers = [
            (await client.get(PATH, headers={"authorization": f"Bearer {guess}"})).status_code for guess in range(30)
        ]
    assert set(answers) == {401, 429}
    assert (await ask(fed, token="x" * 24)).json()["error"]
    assert (await ask(fed)).status_code == 200


async def test_a_token_shorter_than_twenty_characters_is_refused(
    make_web: MakeWeb, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROUTER_TOKEN", "short")
    monkeypatch.setenv("ACME_TOKEN", OF_ACME)
    with pytest.raises(BadSetting, match="fewer than 20"):
        await make_web(admin=ADMIN)


async def test_a_router_of_some_customers_sees_only_their_numbers(fed: Web) -> None:
    assert len((await ask(fed)).json()["routes"]) == 2
    assert (await ask(fed, token=OF_ACME)).json()["routes"] == []


async def test_what_has_not_changed_is_not_sent_again(fed: Web) -> None:
    first = await ask(fed)
    assert first.json()["all"] is True
    again = await ask(fed, **{"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    since = (await ask(fed, first.json()["next"])).json()
    assert (since["all"], since["routes"]) == (False, [])
    unknown = (await ask(fed, "of-another-process-7")).json()
    assert (unknown["all"], len(unknown["routes"])) == (True, 2)
    assert (await ask(fed, "x" * 101)).status_code == 400


async def test_a_question_for_the_head_of_the_stream_has_an_end(fed: Web) -> None:
    headers = {"authorization": f"Bearer {TOKEN}", "accept": "text/event-stream"}
    began = fed.harness.clock.boot_time()
    async with asyncio.timeout(5), fed.outside() as client:
        answer = await client.head(PATH, headers=headers)
    assert (answer.status_code, fed.harness.clock.boot_time()) == (200, began), "a stream lasts ten minutes"
    assert answer.headers["content-type"].startswith("text/event-stream")


@pytest.mark.parametrize("hook", ["senders", ""])
async def test_the_feed_follows_a_number_through_its_move(
    make_web: MakeWeb, monkeypatch: pytest.MonkeyPatch, hook: str
) -> None:
    """With a hook, and for a customer whose router only asks: never open towards a side that does not serve."""
    monkeypatch.setenv("ROUTER_TOKEN", TOKEN)
    monkeypatch.setenv("ACME_TOKEN", OF_ACME)
    columns = {"hook": "senders"} if hook else {}
    web = await make_web(admin=ADMIN, kinds=("healthy", "no_backup"), columns=columns)
    other, moved = await web.app.queries.positions.board()
    place, seen = (await ask(web)).json()["next"], list[tuple[str, str, str]]()
    while (position := await web.app.queries.positions.get(moved.migration_id)).ended_at is None:
        await web.app.runner.run_step(moved.migration_id)
        await web.harness.enter_newest_code(web.app, position)
        web.harness.clock.advance(2)
        answer = (await ask(web, place)).json()
        place = answer["next"]
        assert not answer["all"]
        assert {row["e164"] for row in answer["routes"]} <= {moved.e164}
        for row in answer["routes"]:
            truth = web.harness.sandbox_number(moved).side
            assert row["sends"] == "held" or row["side"] == truth, row
            seen += [(row["side"], row["sends"], row["after_deadline"] or "")]
    states = list(dict.fromkeys(seen))
    assert [state for state in states if state[1] == "open"][-1] == ("cloud", "open", "")
    assert ("on_premises", "held", "resume") in states
    assert ("cloud", "held", "stay") in states
    assert other.e164 in {row["e164"] for row in (await ask(web)).json()["routes"]}


async def test_a_router_that_only_asks_sends_nothing_to_a_side_that_is_off(
    make_web: MakeWeb, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It asks every five seconds, and sends a message each second. It learned of the pause as the number crossed."""
    monkeypatch.setenv("ROUTER_TOKEN", TOKEN)
    monkeypatch.setenv("ACME_TOKEN", OF_ACME)
    web = await make_web(admin=ADMIN, kinds=("healthy", "verified"))
    for moved in await web.app.queries.positions.board():
        dead, deadlines, row = [], set[str](), {}
        for second in range(900):
            if second % 5 == 0:
                (row,) = [one for one in (await ask(web)).json()["routes"] if one["e164"] == moved.e164]
                deadlines |= {row["until"]} if (row["sends"], row["after_deadline"]) == ("held", "resume") else set()
            if row["sends"] == "open" and row["side"] != web.harness.sandbox_number(moved).side:
                dead.append((second, row))
            if (await web.app.queries.positions.get(moved.migration_id)).ended_at is None:
                await web.app.runner.run_step(moved.migration_id)
            web.harness.clock.advance(1)
            if row["side"] == "cloud" and row["sends"] == "open":
                break
        assert (row["side"], dead) == ("cloud", [])
        assert None not in deadlines
        assert deadlines


async def test_the_feed_says_with_which_code_cloud_refuses(make_web: MakeWeb, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROUTER_TOKEN", TOKEN)
    monkeypatch.setenv("ACME_TOKEN", OF_ACME)
    web = await make_web(admin=ADMIN, kinds=("healthy",), columns={"hook": "senders", "smoke_to": "+15550109999"})
    web.harness.sandbox.faults.add("messages", "error", None, code=131042, times=0)
    assert [row["refused"] for row in (await ask(web)).json()["routes"]] == [None]
    await web.harness.run_number(web.app, "N-0001")
    rows = (await ask(web)).json()["routes"]
    assert [(row["side"], row["sends"], row["refused"]) for row in rows] == [("cloud", "open", 131042)]


async def test_server_sent_events_bring_each_change_with_its_place(fed: Web) -> None:
    feed = RoutesFeed(fed.site)
    await feed.refresh()
    events = feed.streams.events(RouterStream(feed, fed.site.routers[0], None).news)
    first = await anext(events)
    assert first.startswith("retry: 1000\n\nid: ")
    (position, _) = await fed.app.queries.positions.board()
    await fed.harness.advance_to(fed.app, position, "drain")
    event = next(part for part in [await anext(events) for _ in range(2)] if "event: routes" in part)
    lines = dict(line.split(": ", 1) for line in event.strip().split("\n"))
    data: dict[str, Any] = json.loads(lines["data"])
    assert lines["id"] == data["next"]
    assert [(row["e164"], row["sends"]) for row in data["routes"]] == [(position.e164, "held")]
    fed.site.stop.request()
    assert [part async for part in events if "event" in part] == []
    assert feed.streams.open == 0


async def test_what_changes_before_a_stream_is_read_on_is_in_its_next_event(fed: Web) -> None:
    feed = RoutesFeed(fed.site)
    await feed.refresh()
    events = feed.streams.events(RouterStream(feed, fed.site.routers[0], None).news)
    await anext(events)
    (position, _) = await fed.app.queries.positions.board()
    await fed.harness.advance_to(fed.app, position, "drain")
    fed.harness.clock.advance(1)
    await feed.refresh()  # as for another router
    assert "event: routes" in await anext(events)
