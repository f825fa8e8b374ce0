"""Several businesses: the credentials of one give no access to another."""

from typing import Any

import pytest

from sandbox.app import Sandbox
from sandbox.scenarios.scenario_file import BadScenario, parse_scenario
from tests.sandbox.partner import Clock, Partner, error_code_of


def three_businesses() -> Partner:
    clock = Clock()
    return Partner(Sandbox.from_scenario("two-partners", now=clock.now), clock)


async def get_as_business(partner: Partner, name: str, path: str, **params: Any) -> Any:
    business = next(row for row in partner.manifest["businesses"] if row["name"] == name)
    headers = {"Authorization": f"Bearer {business['token']}"}
    return await partner.client.get(f"/v25.0/{path}", params=params, headers=headers)


async def test_each_business_has_own_credentials_and_accounts() -> None:
    partner = three_businesses()
    businesses = partner.manifest["businesses"]
    assert [business["name"] for business in businesses] == ["north", "south", "west"]
    for name in ("business_id", "app_id", "app_secret", "verify_token", "token"):
        assert len({business[name] for business in businesses}) == 3
    assert [len(business["wabas"]) for business in businesses] == [2, 2, 1]
    assert [partner.manifest[name] for name in ("token", "app_id")] == [businesses[0]["token"], businesses[0]["app_id"]]
    waba_ids = [waba["waba_id"] for business in businesses for waba in business["wabas"]]
    assert waba_ids == [waba["waba_id"] for waba in partner.manifest["wabas"]]


async def test_business_cannot_read_another() -> None:
    partner = three_businesses()
    north, south, _ = partner.manifest["businesses"]
    south_waba = south["wabas"][0]["waba_id"]
    number = next(row for row in partner.manifest["numbers"] if row["waba_id"] == south_waba)
    assert error_code_of(await get_as_business(partner, "north", f"{south_waba}/phone_numbers")) == 200
    assert error_code_of(await get_as_business(partner, "north", number["phone_number_id"])) == 100
    assert (await get_as_business(partner, "south", number["phone_number_id"])).status_code == 200
    assert error_code_of(await get_as_business(partner, "north", south["app_id"])) == 100
    assert (await get_as_business(partner, "north", north["app_id"])).json()["name"] == "north"


async def test_token_with_limited_or_expired_access() -> None:
    partner = three_businesses()
    _, south, west = partner.manifest["businesses"]
    visible, hidden = (waba["waba_id"] for waba in south["wabas"])
    assert (await get_as_business(partner, "south", f"{visible}/phone_numbers")).status_code == 200
    assert error_code_of(await get_as_business(partner, "south", f"{hidden}/phone_numbers")) == 200
    data = (await get_as_business(partner, "south", "debug_token", input_token=south["token"])).json()["data"]
    assert {tuple(scope["target_ids"]) for scope in data["granular_scopes"]} == {(visible,)}
    response = await get_as_business(partner, "west", west["wabas"][0]["waba_id"])
    assert (response.status_code, response.json()["error"]["error_subcode"]) == (401, 463)


async def test_usage_header_names_owning_business() -> None:
    partner = three_businesses()
    south = partner.manifest["businesses"][1]
    response = await get_as_business(partner, "south", south["wabas"][0]["waba_id"])
    assert south["business_id"] in response.headers["x-business-use-case-usage"]


@pytest.mark.parametrize(
    ("row", "message"),
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
def test_invalid_business_is_rejected_with_line(row: str, message: str) -> None:
    with pytest.raises(BadScenario, match=message) as raised:
        parse_scenario(f"world: open\nbusinesses:\n  - {row}\nnumbers: [{{kind: healthy}}]\n", "x.yaml")
    assert raised.value.line in (3, 4)


def test_number_of_unknown_business_is_rejected() -> None:
    with pytest.raises(BadScenario, match="no business is called 'east'"):
        parse_scenario("numbers: [{kind: healthy, business: east}]\n")
