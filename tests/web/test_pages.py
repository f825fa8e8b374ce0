"""What an operator sees and may press: numbers, waves, who decided what; asserted on the record and the sandbox."""

import asyncio

import httpx
import pytest
from sqlalchemy import event

from migration.operations.at_the_phone import ask_code
from migration.operations.waves import plan_wave
from migration.waves.plan import WaveRule
from migration.web.number_page import EVENTS_SHOWN
from state.enums import WaveState
from state.ledger.waves import NewWave
from state.rows import Position
from tests.web.conftest import MakeWeb, Web, form_fields

MARKUP = "<script>alert(1)</script>"


async def plan(web: Web, name: str = "one", **settings: object) -> int:
    wave = NewWave(name, **settings)  # type: ignore[arg-type]
    await plan_wave(web.app, wave, WaveRule(), None, "tester")
    return (await web.app.queries.waves.get(name)).id


def section(answer: httpx.Response, name: str) -> str:
    return answer.text.split(f'id="{name}"')[1].split("</section>")[0]


async def first(web: Web) -> Position:
    return (await web.app.queries.positions.board())[0]


async def test_a_number_dark_by_us_stands_first_with_clock_move_and_reading(make_web: MakeWeb) -> None:
    web = await make_web(kinds=("healthy",), switches={"register_seconds": 0})
    position = await web.harness.advance_to(web.app, await first(web), "register")
    await web.app.runner.run_step(position.migration_id)
    web.harness.clock.advance(95)
    browser = await web.signed_in()
    page = (await browser.get("/")).text
    down = page.split('id="down"')[1].split("</section>")[0]
    assert "dark by us" in down
    assert "data-since=" in down
    assert "has to act" in down
    assert "Last reading:" in down
    assert position.ref in down
    assert position.e164 not in page


async def test_who_is_waited_for_stands_on_the_first_page_though_nobody_is_told(make_web: MakeWeb) -> None:
    web = await make_web(kinds=("no_backup",), attended=False)
    assert not web.app.admin.notify
    browser = await web.signed_in()
    assert "Nothing." in section(await browser.get("/"), "causes")
    await web.app.runner.run_one((await first(web)).migration_id)
    await ask_code(web.app, "N-0001", how="desk", by="anna")
    await web.app.runner.run_one((await first(web)).migration_id)
    causes = section(await browser.get("/"), "causes")
    assert "has to read out the code of N-0001" in causes
    assert "[[notify]]" in causes
    assert (await first(web)).e164 not in causes


async def test_commands_in_sentences_are_shown_as_code(make_web: MakeWeb) -> None:
    web = await make_web(kinds=("no_backup",), attended=False)
    await web.app.runner.run_one((await first(web)).migration_id)
    browser = await web.signed_in()
    await web.app.ledger.operator_changes.hold((await first(web)).migration_id, True, "tester", "see `<b>` & `x`")
    for page in ("/", "/numbers", "/numbers/N-0001", "/desk"):
        text = (await browser.get(page)).text
        assert "`" not in text, page
    assert "<code>cutover ask-code N-0001</code>" in text
    assert "<code>&lt;b&gt;</code> &amp; <code>x</code>" in (await browser.get("/numbers/N-0001")).text


async def test_a_long_history_is_not_read_whole(web: Web) -> None:
    position, browser = await first(web), await web.signed_in()
    for turn in range(EVENTS_SHOWN + 5):
        await web.app.ledger.operator_changes.hold(position.migration_id, turn % 2 == 0, "tester")
    asked: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "FROM events" in statement:
            asked.append(" ".join(statement.split()))

    event.listen(web.app.database.sync_engine, "before_cursor_execute", note)
    page = (await browser.get("/numbers/N-0001")).text
    event.remove(web.app.database.sync_engine, "before_cursor_execute", note)
    assert f"The last {EVENTS_SHOWN};" in page
    assert "was changed outside cutover" not in page
    assert asked
    for statement in asked:
        assert "LIMIT" in statement or "events.seq >" in statement or "events.seq =" in statement, statement


async def test_the_first_page_asks_nothing_of_the_fleet_twice(web: Web) -> None:
    await plan(web)
    browser, asked = await web.signed_in(), []

    def note(_: object, __: object, statement: str, *___: object) -> None:
        asked.append(statement)

    event.listen(web.app.database.sync_engine, "before_cursor_execute", note)
    assert (await browser.get("/")).status_code == 200
    event.remove(web.app.database.sync_engine, "before_cursor_execute", note)
    of_the_fleet = [statement for statement in asked if "number_migrations" in statement]
    assert len(of_the_fleet) > 5
    assert len(of_the_fleet) == len(set(of_the_fleet))


async def test_one_number_is_told_in_sentences_with_evidence_folded(make_web: MakeWeb) -> None:
    web = await make_web(kinds=("healthy",))
    await web.harness.run_number(web.app, "N-0001")
    page = (await (await web.signed_in()).get("/numbers/N-0001")).text
    assert "is done" in page
    assert "<details" in page
    assert "Way back" in page
    assert (await first(web)).e164 not in page


async def test_texts_of_others_are_no_markup(make_web: MakeWeb) -> None:
    web = await make_web(kinds=("healthy",), columns={"customer": f"=cmd {MARKUP}"})
    browser = await web.signed_in()
    for path in ("/", "/numbers", "/numbers/N-0001", f"/numbers?customer={MARKUP}", f"/numbers?wave={MARKUP}"):
        page = (await browser.get(path)).text
        assert "<script>alert" not in page, path


@pytest.mark.parametrize(
    "query",
    ["page=0", "page=-1", "page=x", "page=99999999999999", "page=%ff", "status=nothing", "wave=%00", "blocked_by=%ff",
     "customer=" + "x" * 5000, "page=1&page=2", "%ff=%ff", "waits_for=us&status=ready"],
)  # fmt: skip
async def test_odd_questions_get_a_page(web: Web, query: str) -> None:
    answer = await (await web.signed_in()).get(f"/numbers?{query}")
    assert answer.status_code == 200


@pytest.mark.parametrize("ref", ["N-9999", "n-0001x", "%2e%2e", "N-%00", "15550100000", "N-" + "1" * 400, "%ff"])
async def test_an_unknown_number_is_said(web: Web, ref: str) -> None:
    assert (await (await web.signed_in()).get(f"/numbers/{ref}")).status_code == 404


@pytest.mark.parametrize("wave", ["0", "999", "99999999999999999999", "x", "-1"])
async def test_an_unknown_wave_is_said(web: Web, wave: str) -> None:
    assert (await (await web.signed_in()).get(f"/waves/{wave}")).status_code == 404


async def test_filters_and_pages_show_what_they_say(make_web: MakeWeb) -> None:
    web = await make_web(kinds=("healthy",) * 4)
    await web.app.ledger.operator_changes.hold((await first(web)).migration_id, True, "tester")
    browser = await web.signed_in()
    assert "4 numbers, page 1 of 1" in (await browser.get("/numbers")).text
    assert "4 numbers" in (await browser.get("/numbers?status=ready")).text
    assert "0 numbers" in (await browser.get("/numbers?status=blocked")).text
    assert "No number is here" in (await browser.get("/numbers?page=7")).text


async def test_a_phone_number_finds_its_page_and_stands_in_no_address(web: Web) -> None:
    browser, position = await web.signed_in(), await first(web)
    answer = await web.send(browser, "/numbers", "/numbers", number=position.e164)
    assert answer.headers["location"] == f"/numbers/{position.ref}"
    assert (await browser.get(f"/numbers/{position.e164}")).status_code == 404


async def test_hold_and_release_carry_the_persons_name(web: Web) -> None:
    browser, page = await web.signed_in(), "/numbers/N-0001"
    assert (await web.send(browser, page, f"{page}/hold", because="the owner calls")).status_code == 303
    assert (await first(web)).hold
    events = await web.app.queries.records.events((await first(web)).migration_id)
    assert (events[-1].facts["by"], events[-1].facts["reason"]) == ("anna", "the owner calls")
    assert (await web.send(browser, page, f"{page}/release")).status_code == 303
    assert not (await first(web)).hold


async def test_two_people_press_at_once_and_one_of_them_is_told(web: Web) -> None:
    one, other = await web.signed_in(), await web.signed_in()
    page = "/numbers/N-0001"
    forms = [form_fields((await browser.get(page)).text, f"{page}/hold") for browser in (one, other)]
    answers = await asyncio.gather(
        *(browser.post(f"{page}/hold", data=form) for browser, form in zip((one, other), forms, strict=True))
    )
    assert {answer.status_code for answer in answers} <= {303, 409}
    assert (await first(web)).hold
    late = await other.post(f"{page}/hold", data=forms[1])
    assert late.status_code == 409
    assert "on hold already" in late.text


async def test_the_full_number_is_shown_once_it_is_recorded(web: Web) -> None:
    browser, position, page = await web.signed_in(), await first(web), "/numbers/N-0001"
    refused = await web.send(browser, page, f"{page}/reveal")
    assert refused.status_code == 422
    assert position.e164 not in refused.text
    shown = await web.send(browser, page, f"{page}/reveal", because="I call the customer")
    assert position.e164 in shown.text
    assert shown.headers["cache-control"] == "no-store"
    event = (await web.app.queries.records.events(position.migration_id))[-1]
    assert event.facts["by"] == "anna"
    assert "I call the customer" in str(event.facts)
    assert position.e164 not in (await browser.get(page)).text


async def test_abort_needs_the_reference_typed_again(web: Web) -> None:
    browser, page = await web.signed_in(), "/numbers/N-0001"
    assert (await web.send(browser, page, f"{page}/abort", because="no", confirm="N-0002")).status_code == 422
    assert (await first(web)).itinerary != "ABORT"
    assert (await web.send(browser, page, f"{page}/abort", because="no", confirm="n-0001")).status_code == 303
    assert (await first(web)).itinerary == "ABORT"


async def test_a_wave_is_begun_held_narrowed_and_stopped_by_name(web: Web) -> None:
    wave = await plan(web, canary_size=1)
    browser, page = await web.signed_in(), f"/waves/{wave}"
    assert (await web.send(browser, page, f"{page}/begin")).status_code == 303
    asked = await browser.get(f"{page}/release?part=canary")
    assert "<strong>1</strong> number" in asked.text
    assert "Ways back" in asked.text
    release = form_fields(asked.text, f"{page}/release")
    assert (await browser.post(f"{page}/release", data=release)).status_code in (303, 409)
    assert (await web.send(browser, page, f"{page}/concurrency", concurrency="3")).status_code == 303
    assert (await web.send(browser, page, f"{page}/hold", because="a call")).status_code == 303
    row = await web.app.queries.waves.get("one")
    assert (row.state, row.concurrency, row.because) == (WaveState.HELD, 3, "a call")
    assert (await web.send(browser, page, f"{page}/stop", because="x", confirm="two")).status_code == 422
    assert (await web.send(browser, page, f"{page}/stop", because="x", confirm="one")).status_code == 303
    assert (await web.app.queries.waves.get("one")).state is WaveState.STOPPED
    decided = [event.by for event in await web.app.queries.waves.events("one") if event.kind != "planned"]
    assert set(decided) == {"anna"}


@pytest.mark.parametrize("typed", ["", "0", "201", "-3", "x", "9" * 30, "٣"])
async def test_a_concurrency_that_no_wave_can_have_is_refused(web: Web, typed: str) -> None:
    wave = await plan(web)
    answer = await web.send(await web.signed_in(), f"/waves/{wave}", f"/waves/{wave}/concurrency", concurrency=typed)
    assert answer.status_code in (409, 422)
    assert (await web.app.queries.waves.get("one")).concurrency == 10


async def test_some_numbers_are_released_and_others_refused(web: Web) -> None:
    wave = await plan(web, canary_size=1)
    browser, page = await web.signed_in(), f"/waves/{wave}"
    assert (await browser.get(f"{page}/release?part=some&only=N-9999")).status_code == 404
    assert (await browser.get(f"{page}/release?part=some")).status_code == 422
    assert (await browser.get(f"{page}/release?part=everything")).status_code == 422
    asked = await browser.get(f"{page}/release?part=some&only=N-0002,N-0003")
    sent = form_fields(asked.text, f"{page}/release")
    assert (await browser.post(f"{page}/release", data=sent)).status_code == 303
    board = await web.app.queries.positions.board()
    assert {one.ref for one in board if one.released_by_name} == {"N-0002", "N-0003"}
    canary = [one.ref for one in board if one.canary]
    text = (await browser.get(page)).text
    assert f"<dt>Canary</dt><dd>canary {canary[0]}</dd>" in text
    assert "<dt>Released by name</dt><dd>N-0002, N-0003</dd>" in text


async def test_a_page_is_told_within_a_second_that_something_changed(web: Web) -> None:
    mark = await web.app.queries.down.mark()
    await web.app.ledger.operator_changes.hold((await first(web)).migration_id, True, "tester")
    assert await web.app.queries.down.mark() != mark


@pytest.mark.parametrize("path", ["/", "/numbers", "/numbers/N-0001", "/waves/1", "/live", "/desk"])
async def test_nothing_is_shown_to_nobody(web: Web, path: str) -> None:
    answer = await web.client().get(path)
    assert (answer.status_code, answer.headers.get("location")) == (303, "/sign-in")
    assert (await web.client(accept="application/json").get(path)).status_code == 401


async def test_no_page_holds_a_full_number_a_pin_a_password_or_a_token(make_web: MakeWeb) -> None:
    web = await make_web(kinds=("no_backup", "healthy", "pin_wrong"))
    wave = await plan(web)
    for ref in ("N-0001", "N-0002", "N-0003"):
        await web.harness.run_number(web.app, ref)
    manifest = web.harness.sandbox.manifest("http://sandbox.localhost")
    secrets = {number[name] for number in manifest["numbers"] for name in ("e164", "pin", "password") if number[name]}
    secrets |= {number["e164"].lstrip("+") for number in manifest["numbers"]} | {manifest["token"]}
    for position in await web.app.queries.positions.board():
        secrets |= {str(web.harness.sandbox_number(position).pin), *web.harness.sandbox.sms(position.e164)}
    browser = await web.signed_in()
    paths = ["/", "/numbers", f"/waves/{wave}", f"/waves/{wave}/release?part=all", "/desk", "/metrics"]
    for path in (*paths, *(f"/numbers/N-000{place}" for place in (1, 2, 3))):
        source = (await browser.get(path)).text
        assert [secret for secret in secrets if secret and secret in source] == [], path
