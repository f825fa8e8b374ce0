"""The code desk: who can be called, one code, many codes, and what is said of each that is not taken."""

import asyncio
import re
from datetime import timedelta

import pytest

from state.enums import Status
from state.ledger.people import Shift
from state.rows import Position
from tests.web.conftest import MakeWeb, Web, form_fields

CONTACT = "Rui +351 912 345 678"


async def position_of(web: Web, ref: str = "N-0001") -> Position:
    return await web.app.queries.positions.find(ref)


async def waiting_for_codes(make_web: MakeWeb, count: int = 1, **options: object) -> Web:
    web = await make_web(kinds=("no_backup",) * count, **options)
    for position in await web.app.queries.positions.board():
        await web.app.runner.run_one(position.migration_id)
        assert (await position_of(web, position.ref)).next_step == "verify_code"
    return web


async def newest(web: Web, ref: str = "N-0001") -> str:
    return str(web.harness.sandbox.sms((await position_of(web, ref)).e164)[-1])


async def enter(web: Web, text: str, number: str = "N-0001", **more: str) -> tuple[int, str]:
    answer = await web.send(await web.signed_in(), "/desk", "/desk/code", number=number, code=text, **more)
    return answer.status_code, re.sub(r"\s+", " ", answer.text)


async def test_a_code_is_taken_and_the_number_comes_to_its_end(make_web: MakeWeb) -> None:
    web = await waiting_for_codes(make_web)
    code = await newest(web)
    status, _ = await enter(web, f"Your WhatsApp code: {code[:3]}-{code[3:]}")
    assert status == 303
    events = await web.app.queries.records.events((await position_of(web)).migration_id)
    entered = next(event for event in events if event.kind == "code_entered")
    assert (entered.facts["by"], entered.facts["door"]) == ("anna", "desk")
    await web.harness.run_number(web.app, "N-0001")
    assert (await position_of(web)).status is Status.DONE


async def test_what_is_no_code_is_said_and_not_shown_again(make_web: MakeWeb) -> None:
    web = await waiting_for_codes(make_web)
    for text in ("12345", "hello", "", "1234567", "123456 or 654321"):
        status, page = await enter(web, text)
        assert status == 422
        assert "nothing was stored" in page
        assert not text or text not in page.replace('placeholder="', "")


async def test_a_code_before_it_was_asked_for_is_said(make_web: MakeWeb) -> None:
    web = await make_web(kinds=("no_backup",), attended=False)
    await web.harness.advance_to(web.app, await position_of(web), "request_code")
    status, page = await enter(web, "123456")
    assert status == 422
    assert "ask-code N-0001" in page


async def test_twice_wrong_expired_and_another_numbers_are_each_said(make_web: MakeWeb) -> None:
    web = await waiting_for_codes(make_web, 2)
    assert (await enter(web, "111111"))[0] == 303
    assert "stored already" in (await enter(web, "111111"))[1]
    await web.app.runner.run_one((await position_of(web)).migration_id)
    assert "was refused" in (await enter(web, "111111"))[1]
    status, page = await enter(web, "111111", "N-0002")
    assert (status, "typed for another number" in page) == (422, True)
    again = form_fields(page, "/desk/code")
    assert again["anyway"] == "yes"
    assert (await enter(web, "111111", "N-0002", anyway="yes"))[0] == 303
    web.harness.clock.advance(3600)
    status, page = await enter(web, "222222")
    assert (status, "has expired" in page) == (422, True)


async def test_an_unknown_number_is_said_without_its_digits(make_web: MakeWeb) -> None:
    web = await waiting_for_codes(make_web)
    status, page = await enter(web, "123456", "+15550009999")
    assert status == 404
    assert "15550009999" not in page


async def test_somebody_at_the_phone_lets_the_code_be_asked_for(make_web: MakeWeb) -> None:
    web = await make_web(kinds=("no_backup",), attended=False, columns={"customer_contact": CONTACT})
    await web.app.runner.run_one((await position_of(web)).migration_id)
    browser = await web.signed_in()
    page = (await browser.get("/desk")).text
    assert "At the phone" in page
    assert "912 345 678" not in page
    answer = await web.send(browser, "/desk", "/desk/ready", number="N-0001", method="VOICE")
    assert "somebody is at the phone of N-0001" in answer.text
    await web.app.runner.run_one((await position_of(web)).migration_id)
    assert (await position_of(web)).next_step == "verify_code"
    calls = [call for call in web.harness.mutations(await position_of(web)) if "request_code" in call]
    assert len(calls) == 1


async def test_each_number_is_somebodys_on_duty_and_ones_own_stand_first(make_web: MakeWeb) -> None:
    web = await waiting_for_codes(make_web, 6)
    now = web.harness.clock.now()
    shifts = [Shift(name, None, "en", "UTC", now, now + timedelta(hours=8)) for name in ("anna", "ben")]
    await web.app.ledger.people.replace_roster(shifts, "tester")
    browser = await web.signed_in()
    page = (await browser.get("/desk")).text
    mine, of_ben = page.count(">yours<"), page.count(">ben calls<")
    assert (mine + of_ben, mine > 0, of_ben > 0) == (6, True, True)
    assert page.rindex(">yours<") < page.index(">ben calls<")
    own = (await browser.get("/desk?for=me")).text
    assert (own.count(">yours<"), own.count("calls<")) == (mine, 0)
    web.harness.clock.advance(9 * 3600)
    assert "The roster names nobody for now." in (await browser.get("/desk")).text


async def test_whom_to_call_is_shown_once_it_is_recorded(make_web: MakeWeb) -> None:
    web = await make_web(kinds=("no_backup",), attended=False, columns={"customer_contact": CONTACT})
    await web.app.runner.run_one((await position_of(web)).migration_id)
    browser = await web.signed_in()
    shown = await web.send(browser, "/desk", "/desk/contact", number="N-0001")
    assert CONTACT in shown.text
    events = await web.app.queries.records.events((await position_of(web)).migration_id)
    assert "anna" in str(events[-1].facts)
    assert CONTACT not in (await browser.get("/desk")).text


async def test_nobody_any_more_keeps_the_code_from_being_asked_for(make_web: MakeWeb) -> None:
    web = await make_web(kinds=("no_backup",), attended=False)
    await web.app.runner.run_one((await position_of(web)).migration_id)
    browser = await web.signed_in()
    await web.send(browser, "/desk", "/desk/ready", number="N-0001")
    assert (await web.send(browser, "/desk", "/desk/leave", number="N-0001")).status_code == 200
    await web.app.runner.run_one((await position_of(web)).migration_id)
    assert (await position_of(web)).next_step != "verify_code"


async def test_many_codes_are_answered_line_by_line(make_web: MakeWeb) -> None:
    web = await waiting_for_codes(make_web, 3)
    codes = [await newest(web, f"N-000{place}") for place in (1, 2, 3)]
    e164 = (await position_of(web, "N-0002")).e164
    lines = f"number,code\nN-0001,{codes[0]}\n{e164},{codes[1]}\nN-0003,12\nN-7777,123456\nnonsense\n=cmd,<b>\n"
    answer = await web.send(await web.signed_in(), "/desk", "/desk/many", lines=lines)
    assert "2 of 6 codes are stored" in answer.text
    assert "N-7777" in answer.text, "masked, nobody could tell which line is meant"
    assert "•••" not in answer.text.partition("codes are stored")[0], "no example is masked into nonsense"
    assert "<b>" not in answer.text
    assert all(code not in answer.text for code in codes)
    assert e164 not in answer.text


async def test_too_many_or_no_lines_store_nothing(make_web: MakeWeb) -> None:
    web = await waiting_for_codes(make_web)
    browser = await web.signed_in()
    assert (await web.send(browser, "/desk", "/desk/many", lines="")).status_code == 422
    assert (await web.send(browser, "/desk", "/desk/many", lines="N-0001,123456\n" * 1001)).status_code == 413
    assert (await web.send(browser, "/desk", "/desk/many", lines="N-0001,1\n" * 60_000)).status_code == 413


async def test_two_people_enter_the_same_code_at_once(make_web: MakeWeb) -> None:
    web = await waiting_for_codes(make_web)
    code, browsers = await newest(web), [await web.signed_in(), await web.signed_in()]
    forms = [form_fields((await browser.get("/desk")).text, "/desk/code") for browser in browsers]
    fields = {"number": "N-0001", "code": code}
    answers = await asyncio.gather(
        *(one.post("/desk/code", data=form | fields) for one, form in zip(browsers, forms, strict=True))
    )
    assert all(answer.status_code < 500 for answer in answers)
    await web.harness.run_number(web.app, "N-0001")
    assert (await position_of(web)).status is Status.DONE


@pytest.mark.parametrize("page", ["code", "ready", "leave", "many", "contact"])
async def test_a_page_that_answered_a_form_can_be_loaded_again(web: Web, page: str) -> None:
    answer = await (await web.signed_in()).get(f"/desk/{page}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/desk")
