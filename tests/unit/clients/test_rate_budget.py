"""A call is counted before it is made, and what the answer shows of the usage is taken into account."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from migration.clients.rate_budget import BLOCK_LASTS_S, RateBudget
from migration.clients.usage_headers import time_to_regain_access, usage_percent
from migration.errors import CallsSpent, Throttled, Transient
from state.ledger.call_budgets import EVERY_WABA, BudgetKey, CallBlock
from tests.harness.clock import START, FakeClock

WABA, APP = BudgetKey("7", "w"), BudgetKey("7")
ALL = BudgetKey("7", EVERY_WABA)
TEN_MINUTES = timedelta(minutes=10)


class Store:
    """Gives out blocks of 3 calls of 200, until it is closed."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.taken: list[tuple[BudgetKey, bool, int, int | None]] = []
        self.given_back: list[tuple[int, int | None]] = []
        self.closed: dict[BudgetKey, timedelta] = {}
        self.granted = 3
        self.active: list[bool] = []
        self.asked = 0  # whether a budget is closed

    async def take(
        self, key: BudgetKey, *, urgent: bool, unused: int = 0, used_by_others: int | None = None
    ) -> CallBlock:
        self.taken.append((key, urgent, unused, used_by_others))
        now = self.clock.now()
        if key in self.closed:
            return CallBlock(0, 0, 10, 200, now, now + self.closed[key], closed=True)
        of_app = now + self.closed[APP] if APP in self.closed else None
        return CallBlock(self.granted, 190, 10, 200, now, now + TEN_MINUTES, app_closed_until=of_app)

    async def give_back(self, key: BudgetKey, unused: int, used_by_others: int | None = None) -> None:
        self.given_back.append((unused, used_by_others))

    async def close(self, key: BudgetKey, duration: timedelta) -> datetime:
        self.closed[key] = duration
        return self.clock.now() + duration

    async def closed_until(self, key: BudgetKey) -> tuple[datetime, timedelta] | None:
        self.asked += 1
        return (self.clock.now() + self.closed[key], self.closed[key]) if key in self.closed else None

    async def saw_numbers(self, key: BudgetKey, *, any_on_cloud: bool) -> bool:
        self.active.append(any_on_cloud)
        return any_on_cloud


class Rig:
    def __init__(self) -> None:
        self.clock = FakeClock(START)
        self.store = Store(self.clock)
        self.budget = RateBudget(self.store, self.clock.boot_time)

    @property
    def keys(self) -> list[BudgetKey]:
        return [key for key, *_ in self.store.taken]


def headers(percent: int = 0, *, app: int = 0, kind: str = "whatsapp_business_management") -> dict[str, str]:
    row = {"type": kind, "call_count": percent, "total_time": 1, "estimated_time_to_regain_access": 0}
    return {"x-app-usage": json.dumps({"call_count": app}), "x-business-use-case-usage": json.dumps({"1": [row]})}


async def test_a_block_is_written_once_and_not_once_a_call() -> None:
    rig = Rig()
    for _ in range(7):
        await rig.budget.take(WABA, urgent=False)
    assert len(rig.store.taken) == 3


async def test_calls_that_lay_about_too_long_are_given_back_with_the_next_block() -> None:
    rig = Rig()
    await rig.budget.take(WABA, urgent=False)
    rig.clock.advance(BLOCK_LASTS_S)
    await rig.budget.take(WABA, urgent=False)
    assert [unused for _, _, unused, _ in rig.store.taken] == [0, 2]
    await rig.budget.give_back()
    assert rig.store.given_back == [(2, None)]


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/w2/phone_numbers", BudgetKey("7", "w2")),
        ("/w2/subscribed_apps", BudgetKey("7", "w2")),
        ("/123", WABA),
        ("/debug_token", APP),
        ("/123/settings", None),
        ("/123/whatsapp_business_profile", None),
    ],
)
async def test_each_reading_counts_where_meta_counts_it(path: str, key: BudgetKey | None) -> None:
    rig = Rig()
    await rig.budget.of("7", "w").before(path)
    assert rig.keys == ([key] if key is not None else [])


async def test_a_throttled_answer_closes_the_budget_for_all_and_asks_nobody_before_its_end() -> None:
    rig = Rig()
    calls = rig.budget.of("7", "w", urgent=True)
    await calls.before("/123")
    await calls.after("/123", headers(100), Throttled("GET /123: too many calls", TEN_MINUTES))
    assert rig.store.closed == {WABA: TEN_MINUTES}
    for _ in range(3):
        with pytest.raises(CallsSpent, match="Graph takes no calls for WABA w until 08:10 UTC") as caught:
            await calls.before("/123")
        assert caught.value.retry_after == TEN_MINUTES
        assert not caught.value.answered
    assert len(rig.store.taken) == 1, "and the database is not asked either"
    rig.store.closed.clear()
    rig.clock.advance(TEN_MINUTES.total_seconds())
    await calls.before("/123")


async def test_a_throttled_app_closes_all_of_its_wabas() -> None:
    rig = Rig()
    calls = rig.budget.of("7", "w")
    await calls.after("/123", headers(3, app=100), Throttled("too many", TEN_MINUTES))
    assert rig.store.closed == {ALL: TEN_MINUTES}
    with pytest.raises(CallsSpent, match="for app 7 until"):
        await rig.budget.of("7", "another").before("/456")
    await rig.budget.of("8", "w").before("/123")


@pytest.mark.parametrize(("limit", "closed"), [("app", ALL), ("waba", WABA), (None, None)])
async def test_a_write_that_is_throttled_closes_what_its_code_names(limit: Any, closed: BudgetKey | None) -> None:
    rig = Rig()
    throttled = Throttled("POST /123/register: too many calls", TEN_MINUTES, limit)
    await rig.budget.of("7", "w").after_write("/123/register", {}, throttled)
    assert rig.store.closed == ({closed: TEN_MINUTES} if closed is not None else {})


async def test_a_code_of_the_app_closes_it_without_a_header_that_says_so() -> None:
    rig = Rig()
    await rig.budget.of("7", "w").after("/123", {}, Throttled("too many", TEN_MINUTES, "app"))
    assert rig.store.closed == {ALL: TEN_MINUTES}


async def test_a_code_of_the_app_closes_one_waba_whose_own_limit_the_header_shows() -> None:
    """Meta does not document with which code the limit of a WABA refuses."""
    rig = Rig()
    await rig.budget.of("7", "w").after("/123", headers(100), Throttled("too many", TEN_MINUTES, "app"))
    assert rig.store.closed == {WABA: TEN_MINUTES}


@pytest.mark.parametrize("path", ["/7/uploads", "/upload:abc", "/debug_token"])
async def test_calls_of_the_app_itself_have_a_limit_of_their_own(path: str) -> None:
    rig = Rig()
    calls = rig.budget.of("7", "w")
    await calls.after_write(path, headers(3, app=100), Throttled("too many", TEN_MINUTES, "app"))
    assert rig.store.closed == {APP: TEN_MINUTES}
    await calls.before("/123")


@pytest.mark.parametrize("path", ["/7/uploads", "/upload:abc"])
@pytest.mark.parametrize("limit", ["app", None])
async def test_no_upload_is_sent_while_graph_takes_none_of_the_app(path: str, limit: Any) -> None:
    """Each further one would lengthen the wait: with enough numbers it would never end."""
    rig = Rig()
    calls = rig.budget.of("7", "w")
    await calls.before_write(path)
    await calls.after_write(path, {}, Throttled("too many", TEN_MINUTES, limit))
    with pytest.raises(CallsSpent, match="no calls for app 7 until"):
        await calls.before_write(path)
    await calls.before_write("/123/whatsapp_business_profile")


async def test_what_another_worker_knows_of_uploads_counts_for_this_one() -> None:
    rig = Rig()
    await rig.budget.of("7", "w").after_write("/7/uploads", {}, Throttled("too many", TEN_MINUTES, "app"))
    calls = RateBudget(rig.store, rig.clock.boot_time).of("7", "another")
    for _ in range(2):
        with pytest.raises(CallsSpent, match="no calls for app 7 until") as caught:
            await calls.before_write("/7/uploads")
        assert caught.value.retry_after == TEN_MINUTES
    rig.clock.advance(TEN_MINUTES.total_seconds() + 1)
    rig.store.closed.clear()
    await calls.before_write("/7/uploads")


async def test_a_block_tells_what_another_worker_knows_of_uploads() -> None:
    """So no statement is spent to ask for it."""
    rig = Rig()
    calls = rig.budget.of("7", "w")
    await calls.before("/123")
    rig.store.asked = 0
    await calls.before_write("/7/uploads")
    await rig.budget.of("7", "w").after_write("/7/uploads", {}, Throttled("too many", TEN_MINUTES, "app"))
    other = RateBudget(rig.store, rig.clock.boot_time).of("7", "another")
    await other.before("/456")
    with pytest.raises(CallsSpent, match="no calls for app 7 until"):
        await other.before_write("/7/uploads")
    assert rig.store.asked == 0


async def test_another_failure_closes_nothing() -> None:
    rig = Rig()
    await rig.budget.of("7", "w").after("/123", headers(), Transient("GET /123: HTTP 500", True))
    assert rig.store.closed == {}


async def test_without_a_call_left_the_message_says_how_many_and_until_when() -> None:
    rig = Rig()
    rig.store.granted = 0
    with pytest.raises(CallsSpent) as caught:
        await rig.budget.take(WABA, urgent=False)
    kept = "WABA w has 190 of 200 calls left this hour, kept for numbers that cross; more at 08:10 UTC"
    assert str(caught.value) == kept
    assert caught.value.retry_after == TEN_MINUTES


async def test_calls_of_others_that_a_header_shows_are_told_to_the_other_workers() -> None:
    rig = Rig()
    calls = rig.budget.of("7", "w")
    await calls.before("/123")
    await calls.after("/123", headers(5), None)
    assert rig.store.given_back == [], "no more than we counted ourselves"
    await calls.after("/123", headers(60), None)
    assert rig.store.given_back == [(0, 120 - 8)]
    await calls.after("/123", headers(61), None)
    assert len(rig.store.given_back) == 1, "a small change goes with the next block"


async def test_a_percentage_of_more_than_all_is_all() -> None:
    rig = Rig()
    calls = rig.budget.of("7", "w")
    await calls.before("/123")
    await calls.after("/123", headers(1_000), None)
    assert rig.store.given_back == [(0, 200)]


@pytest.mark.parametrize(
    ("text", "percent"),
    [
        ('{"1": [{"type": "ads", "call_count": 99}, {"type": "whatsapp_x", "call_count": 3, "total_time": 7}]}', 7),
        ('{"1": [{"type": "other", "call_count": "12"}], "2": [{"total_cputime": 40}]}', 40),
        ('{"1": [{"call_count": null}, "odd"], "2": "odd"}', None),
        ('{"1": [{"call_count": 100000000000000000, "total_time": 8}]}', 8),
        ('{"1": [{"call_count": 1e17, "total_time": -1e17}]}', None),
        ("[]", None),
        ("{", None),
        ("", None),
        ('{"1": {"type": "whatsapp_business_account", "call_count": "98"}}', 98),  # one row, and not in a list
    ],
)
def test_the_highest_percentage_of_whatsapp_counts(text: str, percent: int | None) -> None:
    assert usage_percent({"x-business-use-case-usage": text}) == percent


def usage(**by_id: int) -> dict[str, str]:
    """A percentage for each id of a business or WABA."""
    rows = {name.removeprefix("_"): [{"type": "whatsapp", "total_time": used}] for name, used in by_id.items()}
    return {"x-business-use-case-usage": json.dumps(rows)}


@pytest.mark.parametrize(
    ("earlier", "header", "used"),
    [
        ([], usage(w=30, other=90), 30),
        ([("w", usage(_1=5)), ("v", usage(_2=5))], usage(_1=30, _2=90), 30),
        ([("v", usage(_2=5))], usage(_1=20, _2=90), 90),  # both WABAs may be of that business
        ([("v", usage(_2=5))], usage(_1=30, v=90), 30),
        ([], usage(_1=20, _2=90), 90),
        ([], usage(_1=30, _2=100), 30),
        ([], usage(_1=100, _2=120), 120),
    ],
    ids=[
        "names the WABA",
        "names its business",
        "may be the business",
        "names another WABA",
        "cannot be told",
        "a limit that is used up would have refused it",
        "both are used up",
    ],
)
async def test_of_several_ids_the_usage_of_the_call_s_own_counts(
    earlier: list[tuple[str, dict[str, str]]], header: dict[str, str], used: int
) -> None:
    rig = Rig()
    for waba, shown in earlier:
        await rig.budget.of("7", waba).before("/123")
        await rig.budget.of("7", waba).after("/123", shown, None)
    rig.store.given_back.clear()
    calls = rig.budget.of("7", "w")
    await calls.before("/123")
    await calls.after("/123", header, None)
    made = 2 if ("w", usage(_1=5)) in earlier else 1
    others = min(used * 2 - 7 - made, 200)  # of 200, without those of this home
    assert [told for _, told in rig.store.given_back] == [others]


async def test_a_refused_call_waits_for_its_own_limit_and_not_for_that_of_another() -> None:
    rig = Rig()

    def rows(minutes: int) -> list[dict[str, Any]]:
        return [{"type": "whatsapp", "call_count": 100, "estimated_time_to_regain_access": minutes}]

    calls = rig.budget.of("7", "w")
    waits = [
        time_to_regain_access({"x-business-use-case-usage": json.dumps(header)}, calls.concerned("/123"))
        for header in ({"w": rows(4), "2": rows(90)}, {"1": rows(4), "2": rows(90)}, {"w": rows(0), "2": rows(90)})
    ]
    assert waits == [timedelta(minutes=4), timedelta(minutes=90), timedelta(minutes=90)]


async def test_what_a_list_shows_is_told_once() -> None:
    rig = Rig()
    calls: Any = rig.budget.of("7")
    for any_on_cloud in (False, False, True, True):
        await calls.saw_numbers("w", any_on_cloud=any_on_cloud)
    assert rig.store.active == [False, True]
