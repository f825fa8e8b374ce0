"""A person at Prefect's pages: fills the forms in, and the number is on Cloud."""

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect
from playwright.async_api import TimeoutError as PlaywrightTimeout

from migration.app import open_app
from migration.demo.partner_files import write_home
from migration.demo.prefect_api import PrefectApi
from migration.demo.sandbox_control import SandboxControl
from state.rows import Position
from tests.ui.browser import PATIENCE_MS, Shown, browser_page, picture

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

FIRST = "N-0001"
# Seconds for a run: it is picked up within two and imports Prefect; others may be at work on this machine.
ENDS_WITHIN_S = 150
# Prefect's own event log is written late; the promise is for five seconds after the run.
FORGOTTEN_AFTER_S = 5


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shown]:
    """A server with its pages, a worker, and one number that is dark on arrival."""
    async with Shown(tmp_path_factory.mktemp("house")) as made:
        await made.start_sandbox("--numbers", "1", "--kinds", "dark")
        inventory = write_home(made.home, made.manifest, "")
        await made.cutover("init")
        await asyncio.gather(made.start_prefect(), made.cutover("import", str(inventory)))
        await made.cutover("deploy")
        async with PrefectApi(made.prefect_url) as api:
            await stop_sweeps(api)
        await made.start_worker("worker-1")
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def api(house: Shown) -> AsyncIterator[PrefectApi]:
    async with PrefectApi(house.prefect_url) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def page() -> AsyncIterator[Page]:
    async with browser_page() as made:
        yield made


async def stop_sweeps(api: PrefectApi) -> None:
    """They would take the number from under the person at the form."""
    told = await api.ask("GET", "/deployments/name/sweep/cutover")
    for one in told["schedules"]:
        await api.ask("PATCH", f"/deployments/{told['id']}/schedules/{one['id']}", {"active": False})


# -- the pages


async def form(house: Shown, api: PrefectApi, page: Page, flow: str) -> None:
    """Open the form of a deployment and wait for its fields."""
    found = await api.ask("GET", f"/deployments/name/{flow}/cutover")
    await page.goto(f"{house.pages}/v2/deployments/deployment/{found['id']}/run")
    await field(page, "number").wait_for()


def field(page: Page, name: str) -> Any:
    """By its label, which says of an optional one that it is."""
    return page.get_by_role("textbox", name=re.compile(rf"^{name}( \(Optional\))?$"))


async def choose(page: Page, itinerary: str) -> None:
    await page.get_by_role("button", name="Select itinerary").click()
    await page.get_by_role("option", name=itinerary).click()


async def submitted(page: Page) -> None:
    """Press Submit. After an error the page first shows the old one again: it is pressed anew while the form stays."""
    for _ in range(3):
        await page.get_by_role("button", name="Submit").click()
        try:
            await page.wait_for_url(re.compile(r"tab=Runs"), timeout=PATIENCE_MS / 4)
        except PlaywrightTimeout:
            continue
        return
    raise AssertionError(f"the form was not taken: {page.url}")


async def run_of(api: PrefectApi, flow: str, nth: int = 1) -> dict[str, Any]:
    """The nth run of a flow, once it has ended."""
    asked = {"flows": {"name": {"any_": [flow]}}, "sort": "EXPECTED_START_TIME_ASC"}
    found: list[dict[str, Any]] = []

    async def is_there() -> bool:
        found[:] = await api.ask("POST", "/flow_runs/filter", asked)
        return len(found) >= nth and await api.has_ended(found[nth - 1]["id"])

    await becomes_true(is_there, f"run {nth} of {flow} has ended")
    return await api.run(found[nth - 1]["id"])


async def becomes_true(asked: Callable[[], Awaitable[bool]], what: str) -> None:
    until = asyncio.get_running_loop().time() + ENDS_WITHIN_S
    while not await asked():
        assert asyncio.get_running_loop().time() < until, f"{what}: not within {ENDS_WITHIN_S} s"
        await asyncio.sleep(0.5)


# -- what is true


async def board(house: Shown) -> tuple[Position, ...]:
    async with open_app(house.settings) as app:
        return await app.queries.board()


async def code_of(house: Shown) -> str:
    [at] = await board(house)
    async with SandboxControl(str(house.manifest["sandbox_url"])) as oracle:
        code = await oracle.code(at.e164)
    assert code is not None, "a code is on the phone"
    return code


async def sides(house: Shown) -> list[str]:
    async with SandboxControl(str(house.manifest["sandbox_url"])) as oracle:
        return [one["side"] for one in await oracle.numbers()]


def prefect_says(house: Shown) -> str:
    """All that is in any table of Prefect's database, and in the log of what has not been merged into it yet."""
    path = Path(house.folder) / "prefect" / "prefect.db"
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        tables = [row[0] for row in database.execute("select name from sqlite_master where type = 'table'")]
        return "\n".join(str(row) for name in tables for row in database.execute(f'select * from "{name}"'))


# -- in this order


async def test_the_form_says_what_its_fields_mean(house: Shown, api: PrefectApi, page: Page) -> None:
    await form(house, api, page, "migrate-number")
    for said in ("Short reference of the number", "Another way than the planned one", "Only say what the next step is"):
        await expect(page.get_by_text(said)).to_be_visible()
    await page.get_by_role("button", name="Select itinerary").click()
    offered = await page.get_by_role("option").all_inner_texts()
    await picture(page, "migrate-number-ways")
    assert offered == ["as planned", "WITH_BACKUP", "CODE_FIRST", "CODE_AFTER", "ONBOARD"]


async def test_what_is_no_reference_is_refused_in_the_form(house: Shown, api: PrefectApi, page: Page) -> None:
    await form(house, api, page, "migrate-number")
    await field(page, "number").fill("+447700900123")
    await page.get_by_role("button", name="Submit").click()
    await expect(page.get_by_text("does not match").first).to_be_visible()
    await picture(page, "migrate-number-refused")
    assert page.url.endswith("/run")
    await field(page, "number").fill(FIRST)
    await page.get_by_role("switch", name=re.compile("^dry_run")).click()
    await submitted(page)
    run = await run_of(api, "migrate-number")
    assert (run["state_type"], run["state"]["name"]) == ("COMPLETED", "DryRun")


async def test_what_is_out_of_range_is_refused_in_the_form(house: Shown, api: PrefectApi, page: Page) -> None:
    found = await api.ask("GET", "/deployments/name/run-wave/cutover")
    await page.goto(f"{house.pages}/v2/deployments/deployment/{found['id']}/run")
    await field(page, "wave").fill("night")
    parts = page.get_by_role("spinbutton", name="parts (Optional)")
    await parts.fill("0")
    await page.get_by_role("button", name="Submit").click()
    # The browser's own bubble, which is no part of the page.
    assert "greater than or equal to 1" in await parts.evaluate("field => field.validationMessage")
    await picture(page, "run-wave-refused")
    assert page.url.endswith("/run")


async def test_a_rule_over_two_fields_ends_the_run_and_says_why(house: Shown, api: PrefectApi, page: Page) -> None:
    await form(house, api, page, "migrate-number")
    await field(page, "number").fill(FIRST)
    await choose(page, "CODE_FIRST")
    await page.get_by_role("switch", name=re.compile("^dry_run")).click()
    await submitted(page)
    run = await run_of(api, "migrate-number", 2)
    assert run["state_type"] == "FAILED"
    assert "a dry run changes nothing, so it cannot change the itinerary" in run["state"]["message"]
    await page.goto(f"{house.pages}/v2/runs/flow-run/{run['id']}")
    await expect(page.get_by_text("it cannot change the itinerary").first).to_be_visible()
    await picture(page, "migrate-number-rule")


async def test_a_dark_number_is_moved_by_two_forms(house: Shown, api: PrefectApi, page: Page) -> None:
    await form(house, api, page, "migrate-number")
    await field(page, "number").fill(FIRST)
    await picture(page, "migrate-number-filled")
    await submitted(page)
    run = await run_of(api, "migrate-number", 3)
    assert (run["state_type"], run["state"]["name"], run["name"]) == ("COMPLETED", "Waiting", f"migrate {FIRST}")

    code = await code_of(house)
    await form(house, api, page, "enter-code")
    await expect(page.get_by_text("The six digits from the SMS or the call")).to_be_visible()
    await field(page, "number").fill(FIRST)
    await page.get_by_label("code").fill(code)
    await picture(page, "enter-code-filled")
    await submitted(page)
    run = await run_of(api, "enter-code")
    assert (run["state_type"], run["name"]) == ("COMPLETED", f"enter code {FIRST}")
    await asyncio.sleep(FORGOTTEN_AFTER_S)
    said = prefect_says(house)
    assert FIRST in said
    assert code not in said

    await form(house, api, page, "migrate-number")
    await field(page, "number").fill(FIRST)
    await submitted(page)
    run = await run_of(api, "migrate-number", 4)
    assert (run["state_type"], run["state"]["name"]) == ("COMPLETED", "Completed")
    assert await sides(house) == ["cloud"]
    await page.goto(f"{house.pages}/v2/runs/flow-run/{run['id']}")
    await expect(page.get_by_text(f"migrate {FIRST}").first).to_be_visible()
    await picture(page, "migrate-number-done")


async def test_going_back_wants_the_number_twice(house: Shown, api: PrefectApi, page: Page) -> None:
    await form(house, api, page, "back-to-onprem")
    await expect(page.get_by_text("The same reference once more")).to_be_visible()
    await field(page, "number").fill(FIRST)
    await field(page, "confirm").fill("N-0002")
    await picture(page, "back-to-onprem-filled")
    await submitted(page)
    run = await run_of(api, "back-to-onprem")
    assert run["state_type"] == "FAILED"
    assert "Confirm says N-0002, the number is N-0001; nothing was changed" in run["state"]["message"]
    assert await sides(house) == ["cloud"]
