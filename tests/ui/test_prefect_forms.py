"""An operator fills in the forms on Prefect's pages, and the number is moved to Cloud."""

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
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
from tests.ui.browser import PATIENCE_MS, ServersWithPages, browser_page, take_screenshot

pytestmark = [pytest.mark.slow, pytest.mark.servers, pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

FIRST = "N-0001"
# Seconds for a run. A worker picks it up within two; then it imports Prefect, on a machine that may be busy.
ENDS_WITHIN_S = 150


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def servers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServersWithPages]:
    """A server with its pages, a worker, and one number that is dark on arrival."""
    async with ServersWithPages(tmp_path_factory.mktemp("house")) as servers:
        await servers.start_sandbox("--numbers", "1", "--kinds", "dark")
        inventory = write_home(servers.home, servers.manifest, "")
        await servers.cutover("init")
        await asyncio.gather(servers.start_prefect(), servers.cutover("import", str(inventory)))
        slot = [f"{datetime.now(UTC) + timedelta(hours=hours):%Y-%m-%d %H:%M}" for hours in (-1, 6)]
        await servers.cutover("ask-code", FIRST, "--from", slot[0], "--to", slot[1])  # somebody is at its phone
        await servers.cutover("deploy")
        async with PrefectApi(servers.prefect_url) as api:
            await stop_sweeps(api)
        await servers.start_worker("worker-1")
        yield servers


@pytest_asyncio.fixture(loop_scope="module")
async def api(servers: ServersWithPages) -> AsyncIterator[PrefectApi]:
    async with PrefectApi(servers.prefect_url) as api:
        yield api


@pytest_asyncio.fixture(loop_scope="module")
async def page() -> AsyncIterator[Page]:
    async with browser_page() as page:
        yield page


async def stop_sweeps(api: PrefectApi) -> None:
    """Pause the schedule of `sweep`: a sweep could move the number while the forms are filled in."""
    deployment = await api.ask("GET", "/deployments/name/sweep/sweep")
    for schedule in deployment["schedules"]:
        await api.ask("PATCH", f"/deployments/{deployment['id']}/schedules/{schedule['id']}", {"active": False})


# -- the pages


async def open_form(servers: ServersWithPages, api: PrefectApi, page: Page, flow: str) -> None:
    """Open the form of a deployment and wait for its fields."""
    deployment = await api.ask("GET", f"/deployments/name/{flow}/{flow}")
    await page.goto(f"{servers.pages}/v2/deployments/deployment/{deployment['id']}/run")
    await field(page, "number").wait_for()


def field(page: Page, name: str) -> Any:
    """The text field with this label. Prefect adds "(Optional)" to the label of an optional field."""
    return page.get_by_role("textbox", name=re.compile(rf"^{name}( \(Optional\))?$"))


async def choose_itinerary(page: Page, itinerary: str) -> None:
    await page.get_by_role("button", name="Select itinerary").click()
    await page.get_by_role("option", name=itinerary).click()


async def submit(page: Page) -> None:
    """Press Submit, up to three times: after an error the page first shows the old form again."""
    for _ in range(3):
        await page.get_by_role("button", name="Submit").click()
        try:
            await page.wait_for_url(re.compile(r"tab=Runs"), timeout=PATIENCE_MS / 4)
        except PlaywrightTimeout:
            continue
        return
    raise AssertionError(f"the form was not accepted: {page.url}")


async def ended_run(api: PrefectApi, flow: str, nth: int = 1) -> dict[str, Any]:
    """The nth run of a flow, once it has ended."""
    query = {"flows": {"name": {"any_": [flow]}}, "sort": "EXPECTED_START_TIME_ASC"}
    runs: list[dict[str, Any]] = []

    async def is_there() -> bool:
        runs[:] = await api.ask("POST", "/flow_runs/filter", query)
        return len(runs) >= nth and await api.has_ended(runs[nth - 1]["id"])

    await wait_until(is_there, f"run {nth} of {flow} has ended")
    return await api.run(runs[nth - 1]["id"])


async def wait_until(condition: Callable[[], Awaitable[bool]], description: str) -> None:
    deadline = asyncio.get_running_loop().time() + ENDS_WITHIN_S
    while not await condition():
        assert asyncio.get_running_loop().time() < deadline, f"{description}: not within {ENDS_WITHIN_S} s"
        await asyncio.sleep(0.5)


# -- the state of the number and of Prefect


async def positions(servers: ServersWithPages) -> tuple[Position, ...]:
    async with open_app(servers.settings) as app:
        return await app.queries.positions.board()


async def newest_code(servers: ServersWithPages) -> str:
    [at] = await positions(servers)
    async with SandboxControl(str(servers.manifest["sandbox_url"])) as oracle:
        code = await oracle.code(at.e164)
    assert code is not None, "a code is on the phone"
    return code


async def sides(servers: ServersWithPages) -> list[str]:
    async with SandboxControl(str(servers.manifest["sandbox_url"])) as oracle:
        return [row["side"] for row in await oracle.numbers()]


def prefect_database(servers: ServersWithPages) -> Path:
    return Path(servers.folder) / "prefect" / "prefect.db"


def dump_prefect_database(servers: ServersWithPages) -> str:
    """Every row of every table of Prefect's database, including what is only in its write-ahead log so far."""
    with sqlite3.connect(f"file:{prefect_database(servers)}?mode=ro", uri=True) as database:
        tables = [row[0] for row in database.execute("select name from sqlite_master where type = 'table'")]
        return "\n".join(str(row) for name in tables for row in database.execute(f'select * from "{name}"'))


async def last_event_is_stored(servers: ServersWithPages, run: dict[str, Any]) -> bool:
    """Whether Prefect has written the event of the run's last state, and so every earlier event of the run.

    Prefect writes its event log in batches, up to five seconds late: a text that is absent before could still appear.
    """
    with sqlite3.connect(f"file:{prefect_database(servers)}?mode=ro", uri=True) as database:
        event = (f"prefect.flow-run.{run['state']['name']}", f"prefect.flow-run.{run['id']}")
        query = "select count(*) from events where event = ? and resource_id = ?"
        return bool(database.execute(query, event).fetchone()[0])


# -- the tests, in this order


async def test_form_describes_its_fields(servers: ServersWithPages, api: PrefectApi, page: Page) -> None:
    await open_form(servers, api, page, "migrate-number")
    for description in (
        "Short reference of the number",
        "Another way than the planned one",
        "Only say what the next step is",
    ):
        await expect(page.get_by_text(description)).to_be_visible()
    await page.get_by_role("button", name="Select itinerary").click()
    options = await page.get_by_role("option").all_inner_texts()
    await take_screenshot(page, "migrate-number-ways")
    assert options == ["as planned", "WITH_BACKUP", "CODE_FIRST", "CODE_AFTER", "ONBOARD"]


async def test_form_refuses_invalid_reference(servers: ServersWithPages, api: PrefectApi, page: Page) -> None:
    await open_form(servers, api, page, "migrate-number")
    await field(page, "number").fill("+447700900123")
    await page.get_by_role("button", name="Submit").click()
    await expect(page.get_by_text("does not match").first).to_be_visible()
    await take_screenshot(page, "migrate-number-refused")
    assert page.url.endswith("/run")
    await field(page, "number").fill(FIRST)
    await page.get_by_role("switch", name=re.compile("^dry_run")).click()
    await submit(page)
    run = await ended_run(api, "migrate-number")
    assert (run["state_type"], run["state"]["name"]) == ("COMPLETED", "DryRun")


async def test_form_refuses_value_out_of_range(servers: ServersWithPages, api: PrefectApi, page: Page) -> None:
    deployment = await api.ask("GET", "/deployments/name/run-wave/run-wave")
    await page.goto(f"{servers.pages}/v2/deployments/deployment/{deployment['id']}/run")
    await field(page, "wave").fill("night")
    parts = page.get_by_role("spinbutton", name="parts (Optional)")
    await parts.fill("0")
    await page.get_by_role("button", name="Submit").click()
    # The browser shows this message itself; it is not part of the page.
    assert "greater than or equal to 1" in await parts.evaluate("field => field.validationMessage")
    await take_screenshot(page, "run-wave-refused")
    assert page.url.endswith("/run")


async def test_run_with_contradictory_fields_fails_with_reason(
    servers: ServersWithPages, api: PrefectApi, page: Page
) -> None:
    await open_form(servers, api, page, "migrate-number")
    await field(page, "number").fill(FIRST)
    await choose_itinerary(page, "CODE_FIRST")
    await page.get_by_role("switch", name=re.compile("^dry_run")).click()
    await submit(page)
    run = await ended_run(api, "migrate-number", 2)
    assert run["state_type"] == "FAILED"
    assert "a dry run changes nothing, so it cannot change the itinerary" in run["state"]["message"]
    await page.goto(f"{servers.pages}/v2/runs/flow-run/{run['id']}")
    await expect(page.get_by_text("it cannot change the itinerary").first).to_be_visible()
    await take_screenshot(page, "migrate-number-rule")


async def test_dark_number_is_moved_with_two_forms(servers: ServersWithPages, api: PrefectApi, page: Page) -> None:
    await open_form(servers, api, page, "migrate-number")
    await field(page, "number").fill(FIRST)
    await take_screenshot(page, "migrate-number-filled")
    await submit(page)
    run = await ended_run(api, "migrate-number", 3)
    assert (run["state_type"], run["state"]["name"], run["name"]) == ("CANCELLED", "Waiting", f"migrate {FIRST}")

    code = await newest_code(servers)
    await open_form(servers, api, page, "enter-code")
    await expect(page.get_by_text("The six digits from the SMS or the call")).to_be_visible()
    await field(page, "number").fill(FIRST)
    await page.get_by_label("code").fill(code)
    await take_screenshot(page, "enter-code-filled")
    await submit(page)
    run = await ended_run(api, "enter-code")
    assert (run["state_type"], run["name"]) == ("COMPLETED", f"enter code {FIRST}")
    await wait_until(lambda: last_event_is_stored(servers, run), "the run's events are stored")
    dump = dump_prefect_database(servers)
    assert FIRST in dump
    assert code not in dump

    await open_form(servers, api, page, "migrate-number")
    await field(page, "number").fill(FIRST)
    await submit(page)
    run = await ended_run(api, "migrate-number", 4)
    assert (run["state_type"], run["state"]["name"]) == ("COMPLETED", "Completed")
    assert await sides(servers) == ["cloud"]
    await page.goto(f"{servers.pages}/v2/runs/flow-run/{run['id']}")
    await expect(page.get_by_text(f"migrate {FIRST}").first).to_be_visible()
    await take_screenshot(page, "migrate-number-done")


async def test_back_to_onprem_requires_matching_confirmation(
    servers: ServersWithPages, api: PrefectApi, page: Page
) -> None:
    await open_form(servers, api, page, "back-to-onprem")
    await expect(page.get_by_text("The same reference once more")).to_be_visible()
    await field(page, "number").fill(FIRST)
    await field(page, "confirm").fill("N-0002")
    await take_screenshot(page, "back-to-onprem-filled")
    await submit(page)
    run = await ended_run(api, "back-to-onprem")
    assert run["state_type"] == "FAILED"
    assert "Confirm says N-0002, the number is N-0001; nothing was changed" in run["state"]["message"]
    assert await sides(servers) == ["cloud"]
