"""The region of storage is set where one is wanted and it is not set yet."""

import pytest

from migration.clients.graph_models import StorageSettings
from migration.steps.outcomes import Done, Draft, Evidence, NotDone
from migration.steps.protocol import READS_LAG, Step, StepContract
from migration.steps.set_storage import SetStorage
from state.enums import Promise
from tests.harness.fake_clients import FakeGraph
from tests.harness.hand_made_number import PHONE_NUMBER_ID, SEND_BY, make_intent, make_number

ENABLED = "IN_COUNTRY_STORAGE_ENABLED"

STEP: Step = SetStorage()


def storage(status: str, region: str | None = None) -> StorageSettings:
    return StorageSettings.model_validate({"status": status, "data_localization_region": region})


def test_contract() -> None:
    assert STEP.contract == StepContract(name="set_storage", promise=Promise.REPEATABLE, repeats_after=READS_LAG)


async def test_the_region_of_the_inventory_is_what_is_prepared() -> None:
    number = make_number(storage_region="DE")
    assert await STEP.check(number) is None
    assert await STEP.prepare(number) == Draft({"region": "DE"})


async def test_without_a_wanted_region_nothing_is_read() -> None:
    graph = FakeGraph()
    assert await STEP.probe(make_number(graph), None) == Done(Evidence({"region": None}))
    assert graph.script.calls == []


@pytest.mark.parametrize(
    ("settings", "done"),
    [
        (storage(ENABLED, "DE"), True),
        (storage(ENABLED, "IN"), False),
        (storage(ENABLED), False),
        (storage("DEFAULT", "DE"), False),
        (storage("DEFAULT"), False),
    ],
    ids=["as wanted", "another region", "no region", "region without storage", "default"],
)
async def test_probe_wants_status_and_region(settings: StorageSettings, done: bool) -> None:
    graph = FakeGraph(settings=settings)
    probe = await STEP.probe(make_number(graph, storage_region="DE"), make_intent())
    if done:
        assert probe == Done(Evidence({"region": "DE"}))
    else:
        assert probe == NotDone({"status": settings.status, "region": settings.region})


async def test_apply_sets_the_region_of_the_intent() -> None:
    graph = FakeGraph()
    evidence = await STEP.apply(make_number(graph, storage_region="IN"), make_intent({"region": "DE"}))
    assert evidence == Evidence({"region": "DE", "by_us": True})
    assert graph.script.arguments("set_storage") == [
        {"phone_number_id": PHONE_NUMBER_ID, "region": "DE", "send_by": SEND_BY}
    ]
