"""The table of Graph's fields: every documented combination, and values that Meta may add."""

from itertools import product
from typing import Any

import pytest

from migration.clients.cloud_standing import (
    ENDED,
    OFFLINE,
    ONLINE,
    QUALITY,
    ClientConnection,
    CloudStanding,
    client_connection,
    cloud_standing,
)
from migration.clients.graph_models import CloudNumber

# Documented, and what a later version may show. `LINKED` stands in Meta's OpenAPI file only.
PLATFORMS = ("CLOUD_API", "ON_PREMISE", "NOT_APPLICABLE", "UNKNOWN", "SOMETHING_NEW")
UNKNOWN = ("UNKNOWN", "LINKED", "connected", "SOMETHING_NEW")
STATUSES = (*sorted(ONLINE | OFFLINE | ENDED), *UNKNOWN)
ON, UP, OFF, UNCLEAR = CloudStanding


DOCUMENTED = (
    "PENDING DELETED MIGRATED BANNED RESTRICTED RATE_LIMITED FLAGGED CONNECTED DISCONNECTED UNVERIFIED"  # and UNKNOWN
)


def test_each_documented_status_has_one_meaning() -> None:
    assert sorted(DOCUMENTED.split()) == sorted([*ONLINE, *OFFLINE, *ENDED])


# platform -> kind of status -> (its health was not read or is blocked, its health says that it can send)
TABLE: dict[str, dict[str, tuple[CloudStanding, CloudStanding]]] = {
    "CLOUD_API": {"online": (ON, ON), "offline": (UP, UNCLEAR), "ended": (OFF, OFF), "unknown": (UNCLEAR, ON)},
    "ON_PREMISE": {"online": (OFF, OFF), "offline": (OFF, OFF), "ended": (OFF, OFF), "unknown": (OFF, OFF)},
    "NOT_APPLICABLE": {
        "connected": (UNCLEAR, UNCLEAR),  # registered nowhere, and connected
        "online": (OFF, UNCLEAR),
        "offline": (OFF, UNCLEAR),
        "ended": (OFF, OFF),
        "unknown": (OFF, UNCLEAR),
    },
    "UNKNOWN": {
        "online": (UNCLEAR, UNCLEAR),
        "offline": (OFF, UNCLEAR),
        "ended": (OFF, OFF),
        "unknown": (UNCLEAR, UNCLEAR),
    },
}


def kind_of(status: str) -> str:
    kinds = {"online": ONLINE, "offline": OFFLINE, "ended": ENDED}
    return next((kind for kind, statuses in kinds.items() if status in statuses), "unknown")


@pytest.mark.parametrize(("platform", "status", "sends"), tuple(product(PLATFORMS, STATUSES, (False, True))))
def test_where_graph_shows_a_number(platform: str, status: str, sends: bool) -> None:
    row = TABLE.get(platform, TABLE["UNKNOWN"])
    kind = status.lower() if status == "CONNECTED" and "connected" in row else kind_of(status)
    assert cloud_standing(platform, status, sends, "VERIFIED") is row[kind][sends]


@pytest.mark.parametrize("code_status", ["NOT_VERIFIED", "UNVERIFIED"])
def test_a_number_that_has_to_be_verified_first_is_not_taken_for_registered(code_status: str) -> None:
    assert cloud_standing("CLOUD_API", "UNKNOWN", True, code_status) is UNCLEAR


@pytest.mark.parametrize(("platform", "status"), tuple(product(PLATFORMS, STATUSES)))
def test_what_graph_shows_of_the_client(platform: str, status: str) -> None:
    shown = client_connection(platform, status)
    down = {"ON_PREMISE": OFFLINE | ENDED, "NOT_APPLICABLE": OFFLINE | ENDED | QUALITY}.get(platform, frozenset())
    assert (shown is ClientConnection.DOWN) is (status in down)
    assert (shown is ClientConnection.LIVE) is (platform == "ON_PREMISE" and kind_of(status) == "online")


@pytest.mark.parametrize(
    ("shown", "standing"),
    [
        ({"platform_type": "cloud_api", "status": "connected"}, ON),
        ({"platform_type": " Cloud_Api", "status": "flagged"}, ON),
        ({"platform_type": "cloud_api", "status": "pending"}, UP),
        ({"platform_type": "on_premise", "status": "Connected"}, OFF),
        ({"platform_type": ["CLOUD_API"], "status": "CONNECTED"}, UNCLEAR),
        ({"platform_type": 1, "status": "CONNECTED"}, UNCLEAR),
        ({"platform_type": "CLOUD_API", "status": {"value": "CONNECTED"}}, UNCLEAR),
        ({"platform_type": "CLOUD_API", "status": 5}, UNCLEAR),
        ({"platform_type": None, "status": None}, UNCLEAR),
        ({}, UNCLEAR),
    ],
)
def test_words_are_read_in_any_case_and_what_is_no_word_says_nothing(
    shown: dict[str, Any], standing: CloudStanding
) -> None:
    assert CloudNumber.model_validate({"id": "1"} | shown).standing is standing


def test_health_in_small_letters_says_the_same() -> None:
    health = {"entities": [{"entity_type": "phone_number", "can_send_message": "available"}]}
    assert CloudNumber.model_validate({"id": "1", "health_status": health}).sends


@pytest.mark.parametrize(
    ("state", "errors", "locked"),
    [
        ("BLOCKED", [{"error_code": 131031}], "WABA"),
        ("blocked", [{"error_code": "368"}, {"error_code": 141006}], "WABA"),
        ("LIMITED", [{"error_code": 131031}], None),
        ("BLOCKED", [{"error_code": 141006}], None),  # a payment method: register goes through
        ("BLOCKED", "odd", None),
        ("BLOCKED", [7, {"error_code": [131031]}], None),
    ],
)
def test_a_locked_account_is_read_from_health(state: str, errors: Any, locked: str | None) -> None:
    entity = {"entity_type": "WABA", "can_send_message": state, "errors": errors}
    assert CloudNumber.model_validate({"id": "1", "health_status": {"entities": [entity]}}).locked_by == locked


@pytest.mark.parametrize(
    ("entities", "sends"),
    [
        ([], False),
        ([{"entity_type": "PHONE_NUMBER", "can_send_message": "AVAILABLE"}], True),
        ([{"entity_type": "PHONE_NUMBER", "can_send_message": "LIMITED"}], True),
        ([{"entity_type": "PHONE_NUMBER", "can_send_message": "BLOCKED"}], False),
        ([{"entity_type": "WABA", "can_send_message": "AVAILABLE"}], False),
        ([{"entity_type": "PHONE_NUMBER"}], False),
    ],
)
def test_only_the_health_of_the_number_itself_counts(entities: list[dict[str, Any]], sends: bool) -> None:
    health = {"can_send_message": "AVAILABLE", "entities": entities}
    assert CloudNumber.model_validate({"id": "1", "health_status": health}).sends is sends
