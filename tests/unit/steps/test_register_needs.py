"""What would make `register` fail is read before a client that serves is stopped."""

from typing import Any

import pytest

from migration.clients.graph_models import CloudNumber
from migration.steps.outcomes import Blocked, Waiting
from migration.steps.reading_cache import BothSides
from migration.steps.register_needs import ACCOUNT_PAGE, NAME_PAGE, refused_after_the_stop
from state.enums import Party
from tests.harness.hand_made_number import NOT_SERVING, NOW, ON_PREMISE, SERVING, make_number

UNAPPROVED = ["DECLINED", "EXPIRED", "PENDING_REVIEW", "NONE"]


def shown(name_status: str | None, *, serving: bool = True) -> BothSides:
    cloud = ON_PREMISE.model_copy(update={"name_status": name_status})
    return BothSides(cloud, SERVING if serving else NOT_SERVING)


@pytest.mark.parametrize("name_status", UNAPPROVED)
@pytest.mark.parametrize("itinerary", ["CODE_FIRST", "CODE_AFTER"])
def test_a_client_is_not_stopped_for_a_name_that_register_refuses(itinerary: str, name_status: str) -> None:
    stop = refused_after_the_stop(shown(name_status), make_number(itinerary=itinerary))
    assert isinstance(stop, Blocked)
    assert stop.runbook == NAME_PAGE
    assert name_status in stop.reason


@pytest.mark.parametrize("name_status", ["APPROVED", "AVAILABLE_WITHOUT_REVIEW", None, "SOMETHING_NEW"])
def test_a_name_that_is_approved_or_not_shown_stops_nothing(name_status: str | None) -> None:
    assert refused_after_the_stop(shown(name_status), make_number(itinerary="CODE_FIRST")) is None


@pytest.mark.parametrize("name_status", UNAPPROVED)
def test_a_dark_number_has_nothing_to_lose(name_status: str) -> None:
    assert refused_after_the_stop(shown(name_status, serving=False), make_number(itinerary="CODE_AFTER")) is None


@pytest.mark.parametrize("name_status", UNAPPROVED)
def test_a_register_with_backup_leaves_the_client_where_it_is(name_status: str) -> None:
    assert refused_after_the_stop(shown(name_status), make_number(itinerary="WITH_BACKUP")) is None


@pytest.mark.parametrize("error_code", [131031, 368])
@pytest.mark.parametrize("itinerary", ["CODE_FIRST", "CODE_AFTER"])
def test_a_client_is_not_stopped_for_an_account_that_is_locked(itinerary: str, error_code: int) -> None:
    entity = {"entity_type": "WABA", "can_send_message": "BLOCKED", "errors": [{"error_code": error_code}]}
    shown_so = {**ON_PREMISE.model_dump(), "health_status": {"entities": [entity]}}
    both = BothSides(CloudNumber.model_validate(shown_so), SERVING)
    stop = refused_after_the_stop(both, make_number(itinerary=itinerary))
    assert isinstance(stop, Blocked)
    assert (stop.runbook, "WABA locked" in stop.reason) == (ACCOUNT_PAGE, True)
    assert refused_after_the_stop(both, make_number(itinerary="WITH_BACKUP")) is None


@pytest.mark.parametrize("itinerary", ["CODE_FIRST", "CODE_AFTER"])
def test_a_client_is_not_stopped_before_the_terms_are_known(itinerary: str) -> None:
    stop = refused_after_the_stop(shown("APPROVED"), make_number(itinerary=itinerary, terms_known=False))
    assert isinstance(stop, Waiting)
    assert stop.on is Party.OPERATOR
    assert "cutover resolve N-0001 --terms-accepted" in stop.reason


@pytest.mark.parametrize(
    ("both", "state"),
    [
        (shown("APPROVED"), {"itinerary": "WITH_BACKUP"}),
        (shown("APPROVED", serving=False), {"itinerary": "CODE_AFTER"}),
        (shown("APPROVED"), {"itinerary": "CODE_AFTER", "crossed_at": NOW}),
        (shown("APPROVED"), {"itinerary": "CODE_FIRST", "terms_known": True}),
    ],
    ids=["it registers with a backup", "it is dark", "it has crossed", "they are known"],
)
def test_no_other_number_waits_for_the_terms(both: BothSides, state: dict[str, Any]) -> None:
    assert refused_after_the_stop(both, make_number(**{"terms_known": False} | state)) is None
