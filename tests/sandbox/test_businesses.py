"""Several businesses: what one is given opens nothing of another's."""

from typing import Any

import pytest

from sandbox.app import Sandbox
from sandbox.scenarios.scenario_file import BadScenario, read
from tests.sandbox.partner import Clock, Far, code_of


def partners() -> Far:
    clock = Clock()
    return Far(Sandbox.from_scenario("two-partners", now=clock.now), clock)


async def as_(far: Far, name: str, path: str, **params: Any) -> Any:
    told = next(one for one in far.manifest["businesses"] if one["name"] == name)
    headers = {"Authorization": f"Bearer {told['token']}"}
    return await far.client.get(f"/v25.0/{path}", params=params, headers=headers)


async def test_each_business_has_credentials_accounts_and_numbers_of_its_own() -> None:
    far = partners()
    told = far.manifest["businesses"]
    assert [one["name"] for one in told] == ["north", "south", "west"]
    for name in ("business_id", "app_id", "app_secret", "verify_token", "token"):
        assert len({one[name] for one in told}) == 3
    assert [len(one["wabas"]) for one in told] == [2, 2, 1]
    assert [far.manifest[name] for name in ("token", "app_id")] == [told[0]["token"], told[0]["app_id"]]
    every = [waba["waba_id"] for one in told for waba in one["wabas"]]
    assert every == [waba["waba_id"] for waba in far.manifest["wabas"]]


async def test_no_business_sees_another() -> None:
    far = partners()
    north, south, _ = far.manifest["businesses"]
    theirs = south["wabas"][0]["waba_id"]
    number = next(row for row in far.manifest["numbers"] if row["waba_id"] == theirs)
    assert code_of(await as_(far, "north", f"{theirs}/phone_numbers")) == 200
    assert code_of(await as_(far, "north", number["phone_number_id"])) == 100
    assert (await as_(far, "south", number["phone_number_id"])).status_code == 200
    assert code_of(await as_(far, "north", south["app_id"])) == 100
    assert (await as_(far, "north", north["app_id"])).json()["name"] == "north"


async def test_a_token_may_see_a_part_or_have_expired() -> None:
    far = partners()
    _, south, west = far.manifest["businesses"]
    seen, unseen = (waba["waba_id"] for waba in south["wabas"])
    assert (await as_(far, "south", f"{seen}/phone_numbers")).status_code == 200
    assert code_of(await as_(far, "south", f"{unseen}/phone_numbers")) == 200
    told = (await as_(far, "south", "debug_token", input_token=south["token"])).json()["data"]
    assert {tuple(scope["target_ids"]) for scope in told["granular_scopes"]} == {(seen,)}
    answer = await as_(far, "west", west["wabas"][0]["waba_id"])
    assert (answer.status_code, answer.json()["error"]["error_subcode"]) == (401, 463)


async def test_usage_is_told_for_the_business_that_owns_the_account() -> None:
    far = partners()
    south = far.manifest["businesses"][1]
    answer = await as_(far, "south", south["wabas"][0]["waba_id"])
    assert south["business_id"] in answer.headers["x-business-use-case-usage"]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("{name: ''}", "needs a name"),
        ("{name: a, colour: red}", "has no 'colour'"),
        ("{name: a, numbers_per_waba: 0}", "from 1 to"),
        ("{name: a, token_expires_in_days: 1.0e+9}", "number of days"),
        ("{name: a, token_scopes: [all]}", "token_scopes is a list"),
        ("{name: a, token_expires_in_days: soon}", "number of days"),
        ("{name: a}\n  - {name: a}", "two businesses"),
    ],
)
def test_mistakes_are_told_with_their_line(row: str, said: str) -> None:
    with pytest.raises(BadScenario, match=said) as bad:
        read(f"world: open\nbusinesses:\n  - {row}\nnumbers: [{{kind: healthy}}]\n", "x.yaml")
    assert bad.value.line in (3, 4)


def test_a_number_belongs_to_a_business_that_is_there() -> None:
    with pytest.raises(BadScenario, match="no business is called 'east'"):
        read("numbers: [{kind: healthy, business: east}]\n")
