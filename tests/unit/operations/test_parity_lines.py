"""Lines of the parity that a move in the sandbox does not meet: official account, throughput, settings of the client.

https://developers.facebook.com/documentation/business-messaging/whatsapp/support/migrating-from-onprem-to-cloud
"""

from typing import Any

import pytest

from migration.clients.graph_details import NumberDetails
from migration.operations.parity_lines import After, parity_lines
from migration.operations.parity_wording import Comparison, Line

SAME, EXPECTED, PERSON = Comparison.SAME, Comparison.EXPECTED, Comparison.PERSON
OFFICIAL, THROUGHPUT = "is_official_business_account", "throughput"


def lines_of(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Line]:
    """`before`: what the snapshot kept. `after`: what Graph shows of the number now."""
    details = NumberDetails.model_validate({"id": "1", "platform_type": "CLOUD_API", "status": "CONNECTED", **after})
    shown = After(profile=None, details=details, storage=None, templates=None, subscribed=None)
    return {line.what: line for line in parity_lines({"before": before}, {}, shown, None)}


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [(True, True, SAME), (False, None, SAME), (None, True, EXPECTED), (True, False, PERSON), (True, None, PERSON)],
)
def test_an_official_account_that_is_lost_needs_a_person(before: Any, after: Any, verdict: Comparison) -> None:
    line = lines_of({"graph": {OFFICIAL: before}}, {OFFICIAL: after})["official account"]
    assert line.verdict is verdict
    assert ("ask Meta" in line.why) == (verdict is PERSON)


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        ("HIGH", "HIGH", SAME),
        ("NOT_APPLICABLE", "STANDARD", EXPECTED),
        ("STANDARD", "HIGH", EXPECTED),
        ("HIGH", "STANDARD", PERSON),
        ("STANDARD", "NOT_APPLICABLE", PERSON),
    ],
)
def test_a_throughput_that_fell_needs_a_person(before: str, after: str, verdict: Comparison) -> None:
    lines = lines_of({"graph": {THROUGHPUT: before}}, {THROUGHPUT: {"level": after}})
    assert (lines["throughput"].verdict, lines["throughput"].after) == (verdict, after)


def test_each_setting_of_the_client_says_what_cloud_does_in_its_place() -> None:
    settings = {"callback_persist": True, "pass_through": False, "a_setting_of_tomorrow": 7}
    lines = lines_of({"settings": settings}, {})
    for name, value in settings.items():
        line = lines[f"client setting {name}"]
        assert (line.verdict, line.before) == (EXPECTED, value)
        assert line.why
    assert "Meta keeps" in lines["client setting callback_persist"].why
