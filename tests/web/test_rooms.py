"""A customer's room: one link, one number, six languages; what may not be done now is said and changes nothing."""

import re
import string
from datetime import timedelta

import httpx
import pytest

from migration.operations.customer_rooms import make_links
from migration.web.room_texts import languages
from state.enums import Status
from state.rows import Position
from tests.web.conftest import PUBLIC, MakeWeb, Web


async def number(web: Web, ref: str = "N-0001") -> Position:
    return await web.app.queries.positions.find(ref)


async def link(web: Web, ref: str = "N-0001", lasts: timedelta = timedelta(days=1)) -> str:
    (made,) = await make_links(web.app, [await number(web, ref)], PUBLIC, "anna", lasts)
    return made.url.removeprefix(PUBLIC)


async def press(web: Web, room: str, **fields: str) -> httpx.Response:
    """Send a form of the room as a browser does, and follow it to the page."""
    browser = web.outside(origin=PUBLIC)
    answer = await browser.post(room, data=fields)
    assert answer.status_code == 303, answer.text
    return await browser.get(answer.headers["location"])


@pytest.fixture
async def web(make_web: MakeWeb) -> Web:
    web = await make_web(kinds=("no_backup",) * 2, attended=False, columns={"customer_language": "pt_BR"})
    for position in await web.app.queries.positions.board():
        await web.app.runner.run_one(position.migration_id)
    return web


async def test_a_customer_goes_the_whole_way(web: Web) -> None:
    room, text = await link(web), languages()["pt"]
    page = await web.outside().get(room)
    assert text["agree"] in page.text
    assert 'lang="pt"' in page.text
    assert text["said_not_possible"] in (await press(web, room, do="call")).text, "not before consent"
    assert text["call_sms"] in (await press(web, room, do="agree")).text
    assert text["state_coming"] in (await press(web, room, do="call", method="SMS")).text
    await web.app.runner.run_one((await number(web)).migration_id)
    assert text["state_enter"] in (await web.outside().get(room)).text
    code = web.harness.sandbox.sms((await number(web)).e164)[-1]
    done = await press(web, room, do="code", code=f"{code[:3]}-{code[3:]}")
    assert text["said_code"] in done.text
    assert code not in done.text
    await web.harness.run_number(web.app, "N-0001")
    receipt = await web.outside().get(room)
    assert text["state_checked"] in receipt.text, "registered, and not proved: no webhook has come in"
    assert text["receipt_title"] in receipt.text
    assert (await number(web)).status is Status.DONE


async def test_a_room_shows_one_number_and_that_one_masked(web: Web) -> None:
    room = await link(web)
    source = (await web.outside().get(room)).text
    for position in await web.app.queries.positions.board():
        assert position.e164 not in source
        assert position.e164.lstrip("+") not in source
        assert position.phone_number_id not in source
    assert room not in source, "the link itself stands in no page that could be saved or sent on"
    assert "cutover" not in source.replace("cutover.css", "")


@pytest.mark.parametrize(
    "change", ["a character", "half", "of another number", "upper case", "nonsense", "long", "%ff"]
)
async def test_a_link_that_is_not_good_opens_nothing(web: Web, change: str) -> None:
    room, other = await link(web), await link(web, "N-0002")
    bad = {
        "a character": room[:-1] + ("0" if room[-1] != "0" else "1"),
        "half": room[: len(room) // 2 + 4],
        "of another number": other.rpartition(".")[0] + "." + room.rpartition(".")[2],
        "upper case": "/room/" + room.removeprefix("/room/").upper(),
        "nonsense": "/room/nonsense",
        "long": "/room/" + "9" * 4000,
        "%ff": "/room/%ff%00",
    }[change]
    if bad == room:
        return
    for language, code in (("de", "de"), ("xx", "en")):
        answer = await web.outside(**{"accept-language": language}).get(bad)
        assert answer.status_code == 404
        assert languages()[code]["closed_title"] in answer.text
    sent = await web.outside(origin=PUBLIC).post(bad, data={"do": "agree"})
    assert sent.status_code == 404
    kinds = [event.kind for event in await web.app.queries.records.events((await number(web)).migration_id)]
    assert "customer_consented" not in kinds


async def test_a_link_ends(web: Web) -> None:
    room = await link(web, lasts=timedelta(hours=1))
    web.harness.clock.advance(3601)
    assert (await web.outside().get(room)).status_code == 404


async def test_another_site_presses_nothing(web: Web) -> None:
    room = await link(web)
    for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}):
        answer = await web.outside(**headers).post(room, data={"do": "agree"})
        assert answer.status_code == 403
        assert "evil" not in answer.text
    assert (await web.app.queries.people.room((await number(web)).number_id)).consented_at is None  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "fields", [{}, {"do": "everything"}, {"do": "book", "slot": "x"}, {"do": "cancel"}, {"do": "pin"}]
)
async def test_what_the_room_does_not_offer_changes_nothing(web: Web, fields: dict[str, str]) -> None:
    room = await link(web)
    await press(web, room, do="agree")
    before = await number(web)
    answer = await web.outside(origin=PUBLIC).post(room, data=fields)
    assert answer.status_code in (303, 400, 415)
    after = await number(web)
    assert (after.slot_from, after.pin_provenance, after.next_step) == (
        before.slot_from,
        before.pin_provenance,
        before.next_step,
    )


async def test_a_time_is_booked_and_given_up(web: Web) -> None:
    room = await link(web)
    page = (await press(web, room, do="agree")).text
    slots = re.findall(r'<option value="([^"]+)"', page)
    assert slots
    await press(web, room, do="book", slot=slots[0])
    assert (await number(web)).slot_from is not None
    await press(web, room, do="cancel")
    assert (await number(web)).slot_from is None


async def test_guesses_are_slowed_and_said_in_the_customers_language(web: Web) -> None:
    room, text = await link(web), languages()["pt"]
    await press(web, room, do="agree")
    await press(web, room, do="call")
    await web.app.runner.run_one((await number(web)).migration_id)
    typed = [(await press(web, room, do="code", code=code)).text for code in ("12345", "123456 654321")]
    assert all(text["said_no_code"] in page for page in typed), "none of them is a guess"
    pages = [(await press(web, room, do="code", code=f"{guess:06}")).text for guess in range(3)]
    assert text["said_too_soon"] not in pages[0]
    assert text["said_too_soon"] in pages[-1]


async def test_a_customer_whose_language_nobody_has_stated_reads_that_of_the_browser(make_web: MakeWeb) -> None:
    web = await make_web(kinds=("no_backup",), attended=False, columns={"language": "de"})
    room = await link(web)
    page = await web.outside(**{"accept-language": "es-MX,es;q=0.9,en;q=0.8"}).get(room)
    assert 'lang="es"' in page.text
    assert 'lang="de"' in (await web.outside(**{"accept-language": "xx"}).get(room)).text, (
        "as the message with the code"
    )


async def test_every_language_says_everything(web: Web) -> None:
    fields = {key: names(text) for key, text in languages()["en"].items()}
    assert len(languages()) >= 6
    room = await link(web)
    for code, texts in languages().items():
        assert {key: names(text) for key, text in texts.items()} == fields, code
        page = (await web.outside().get(f"{room}?language={code}")).text
        assert f'lang="{code}"' in page
        assert f'dir="{texts["direction"]}"' in page
        assert texts["what"].split()[0] in page


def names(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("query", ["language=xx", "language=../en", "said=x", "said=name", "said=%ff", "language=%00"])
async def test_odd_questions_get_the_room(web: Web, query: str) -> None:
    assert (await web.outside().get(f"{await link(web)}?{query}")).status_code == 200


async def test_a_database_that_is_away_is_said_without_our_words(web: Web) -> None:
    from tests.web.test_guard import table_away

    room = await link(web)
    with table_away(web):
        answer = await web.outside(**{"accept-language": "es-MX,es;q=0.9"}).get(room)
    assert answer.status_code == 503
    assert languages()["es"]["later"] in answer.text
    assert "runbook" not in answer.text


async def test_many_rooms_behind_one_proxy_do_not_slow_each_other(web: Web) -> None:
    rooms = [await link(web, "N-0001"), await link(web, "N-0002")]
    answers = [(await web.outside(("127.0.0.1", 1)).get(rooms[0])).status_code for _ in range(65)]
    assert answers[-1] == 429
    assert (await web.outside(("127.0.0.1", 1)).get(rooms[1])).status_code == 200
