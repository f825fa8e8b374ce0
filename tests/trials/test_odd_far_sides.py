"""A far side answers as nobody expected; what is said afterwards is true, and the other numbers move."""

from typing import Any

import pytest

from tests.trials.conftest import MakeOutside
from tests.trials.outside import Outside

pytestmark = pytest.mark.slow

NEVER_DRAINS = {"stats": {"app": {"callback_queue_size": {"data": [{"value": 7}]}}}}
WITHOUT_A_FIGURE = [{"stats": {"app": {}}}, {"stats": {"app": None}}, {"stats": {"app": [{"node": "b"}]}}, ["text"]]


def queue_of(lab: Outside, answers: dict[int, Any]) -> None:
    """The client of the number at this place answers so for its callback queue."""
    of = {lab.cli.fleet[place]["instance"]: answer for place, answer in answers.items()}

    def change(path: str, _: Any) -> Any:
        return of.get(path.split("/")[2]) if path.endswith("/stats/app") else None

    lab.proxy.change = change


def on_cloud(lab: Outside, *places: int) -> list[bool]:
    true = lab.world()
    return [true[lab.cli.fleet[place]["e164"]]["side"] == "cloud" for place in places]


def test_callbacks_that_never_drain_keep_only_their_own_number(outside: MakeOutside) -> None:
    """In a WABA without a number on Cloud the first number crosses first; here the first two never get there."""
    with outside("{kind: healthy, count: 4}", through_proxy=True) as lab:
        queue_of(lab, {0: NEVER_DRAINS, 1: NEVER_DRAINS})
        with lab.mover("--patience", "20"):
            lab.until(lambda: on_cloud(lab, 2, 3) == [True, True])
        assert on_cloud(lab, 0, 1) == [False, False]
        assert lab.untrue() == []


def test_a_queue_without_a_figure_is_not_taken_for_empty(outside: MakeOutside) -> None:
    with outside("{kind: healthy, count: 5}", through_proxy=True) as lab:
        queue_of(lab, dict(enumerate(WITHOUT_A_FIGURE)))
        with lab.mover("--patience", "20"):
            lab.until(lambda: on_cloud(lab, 4) == [True])
            lab.until(lambda: sum(row["status"] == "blocked" for row in lab.status().values()) == 4, 90)
        assert len(lab.calls("register")) == 1
        assert lab.untrue() == []


def test_a_refusal_that_had_its_effect_holds_the_others_only_until_it_is_settled(outside: MakeOutside) -> None:
    refused = "{kind: healthy, faults: [{route: register, kind: error, code: 131016, effect: true}]}"
    with outside(refused, "{kind: healthy, count: 3}") as lab:
        assert lab.run_wave("--patience", "100") == 0
        assert on_cloud(lab, 0, 1, 2, 3) == [True] * 4
        assert len(lab.calls("register")) == 4
        assert lab.untrue() == []


@pytest.mark.parametrize("word", ["RATE_LIMITED", "FLAGGED", "RESTRICTED"])
def test_a_quality_word_after_a_lost_answer_is_a_number_that_serves(outside: MakeOutside, word: str) -> None:
    def reword(_: str, body: Any) -> Any:
        rows = body.get("data") if isinstance(body, dict) else None
        for row in [body, *(rows if isinstance(rows, list) else [])]:
            if isinstance(row, dict) and row.get("platform_type") == "CLOUD_API" and "status" in row:
                row["status"] = word
        return body

    with outside("{kind: healthy, faults: [{route: register, kind: lost_answer}]}") as lab:
        lab.proxy.change = reword
        assert lab.run_wave("--patience", "60") == 0
        assert len(lab.calls("register")) == 1
        assert lab.untrue() == []
