"""A stream of server-sent events: its beginning, its news, its sign of life, its end, and how many there may be."""

import pytest
from starlette.requests import Request

from migration.runtime.stop_request import StopRequest
from migration.web.answers import Refused
from migration.web.event_stream import BEAT_EVERY_S, LASTS_S, MOST, EventStreams
from tests.harness.clock import START, FakeClock


@pytest.fixture
def streams() -> EventStreams:
    return EventStreams(FakeClock(START), StopRequest(), ask_every_s=0.5)


async def nothing() -> str:
    return ""


async def test_news_are_sent_at_once_and_a_sign_of_life_where_there_are_none(streams: EventStreams) -> None:
    news = iter(["retry: 1000\n\n", "", "event: changed\n\n"])

    async def next_news() -> str:
        return next(news, "")

    sent = [(part, streams.clock.boot_time()) async for part in streams.events(next_news)]
    begun = sent[0][1]
    assert [(part, at - begun) for part, at in sent[:4]] == [
        ("retry: 1000\n\n", 0.0),
        ("event: changed\n\n", 1.0),
        (": still here\n\n", 1.0 + BEAT_EVERY_S),
        (": still here\n\n", 1.0 + 2 * BEAT_EVERY_S),
    ]
    assert sent[-1][1] - begun <= LASTS_S == streams.clock.boot_time() - begun
    assert streams.open == 0


async def test_a_server_that_stops_ends_its_streams(streams: EventStreams) -> None:
    events = streams.events(nothing)
    await anext(events)
    streams.stop.request()
    assert [part async for part in events] == []


async def test_no_more_streams_are_opened_than_it_can_serve(streams: EventStreams) -> None:
    request = Request({"type": "http", "method": "GET"})
    streams.open = MOST - 1
    streams.response(request, nothing, Refused(429, "too many"))
    streams.open = MOST
    with pytest.raises(Refused, match="too many"):
        streams.response(request, nothing, Refused(429, "too many"))
