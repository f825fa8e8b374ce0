"""What would make `register` fail is read before a client that serves is stopped."""

import pytest

from migration.steps.outcomes import Blocked
from migration.steps.reading_cache import BothSides
from migration.steps.register_needs import NAME_PAGE, refused_after_the_stop
from tests.harness.hand_made_number import NOT_SERVING, ON_PREMISE, SERVING, make_number

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
