"""What the move cost the business profile is put back; what is as it was is not written."""

from datetime import timedelta
from typing import Any

import pytest

from migration.clients.graph_models import Profile
from migration.clients.profile_picture import Picture
from migration.errors import Rejected
from migration.scrubbing.texts import SafeText
from migration.steps.number import Number
from migration.steps.outcomes import Done, Draft, Evidence, NotDone
from migration.steps.protocol import READS_LAG, Step, StepContract
from migration.steps.restore_profile import RestoreProfile
from state.enums import Promise
from tests.harness.fake_clients import FakeGraph, FakeSecrets
from tests.harness.hand_made_number import (
    PHONE_NUMBER_ID,
    SEND_BY,
    kinds,
    make_intent,
    make_number,
    probe_repeatedly,
)

STEP: Step = RestoreProfile()
BEFORE = {"about": "We are open", "email": "hello@acme.example", "websites": ["https://acme.example"]}
WHOLE = Profile(about="We are open", email="hello@acme.example", websites=("https://acme.example",))


def number_with(profile: Profile | list[Any], before: dict[str, Any] | None = BEFORE) -> Number:
    snapshot = {"profile": before} if before is not None else {}
    return make_number(FakeGraph(profile=profile), results={"snapshot": snapshot})


def test_contract() -> None:
    assert STEP.contract == StepContract(
        name="restore_profile",
        promise=Promise.REPEATABLE,
        longest_call=timedelta(seconds=100),
        repeats_after=READS_LAG,
        if_passed_over=(("profile_lost", "it could not be put back"),),
    )


async def test_nothing_stands_against_it() -> None:
    assert await STEP.check(make_number()) is None


@pytest.mark.parametrize("before", [None, {}])
@pytest.mark.parametrize("before_an_attempt", [True, False])
async def test_without_a_profile_in_the_snapshot_nothing_is_read(
    before: dict[str, Any] | None, before_an_attempt: bool
) -> None:
    number = make_number(results={"snapshot": {"profile": before}})
    assert await STEP.probe(number, None if before_an_attempt else make_intent()) == Done(Evidence({"changed": []}))
    assert await STEP.prepare(make_number()) == Draft({"changes": {}})


CASES: dict[str, tuple[Profile, dict[str, Any]]] = {
    "as it was": (WHOLE, {}),
    "empty": (Profile(), BEFORE),
    "one field is gone": (WHOLE.model_copy(update={"about": None}), {"about": "We are open"}),
    "one field is another": (WHOLE.model_copy(update={"email": "x@y.example"}), {"email": "hello@acme.example"}),
    "a website is gone": (WHOLE.model_copy(update={"websites": ()}), {"websites": ["https://acme.example"]}),
    "a field that was empty is filled": (WHOLE.model_copy(update={"address": "Main Street 1"}), {}),
}


@pytest.mark.parametrize("case", CASES)
async def test_only_differences_are_put_back(case: str) -> None:
    profile, changes = CASES[case]
    assert await STEP.prepare(number_with(profile)) == Draft({"changes": changes})
    probe = await STEP.probe(number_with(profile), None)
    assert probe == (NotDone({"differs": sorted(changes)}) if changes else Done(Evidence({"changed": []})))


async def test_a_field_that_was_empty_before_is_not_emptied_now() -> None:
    number = number_with(WHOLE, {"about": "", "email": None, "websites": []})
    assert await STEP.prepare(number) == Draft({"changes": {}})


async def test_the_profile_of_this_number_is_read() -> None:
    graph = FakeGraph(profile=WHOLE)
    await STEP.probe(make_number(graph, results={"snapshot": {"profile": BEFORE}}), None)
    assert graph.script.arguments("profile") == [{"phone_number_id": PHONE_NUMBER_ID}]


async def test_a_profile_that_comes_and_goes_is_judged_by_each_reading() -> None:
    number = number_with([WHOLE, Profile(), WHOLE])
    assert kinds(await probe_repeatedly(STEP, number, make_intent(), 3)) == ["Done", "NotDone", "Done"]


async def test_apply_writes_the_changes_of_the_intent_once() -> None:
    graph = FakeGraph()
    changes = {"websites": ["https://acme.example"], "about": "We are open"}
    evidence = await STEP.apply(make_number(graph), make_intent({"changes": changes}))
    assert evidence == Evidence({"changed": ["about", "websites"]})
    assert [(call.name, dict(call.arguments)) for call in graph.script.calls] == [
        ("set_profile", {"phone_number_id": PHONE_NUMBER_ID, "changes": changes, "send_by": SEND_BY})
    ]


PICTURE = Picture(b"\xff\xd8\xff\xe0abc", "image/jpeg")
WITH_PICTURE = {"snapshot": {"profile": BEFORE, "picture": PICTURE.as_facts()}}


@pytest.mark.parametrize("url", [None, "https://pps.example/1.jpg"])
async def test_a_picture_that_is_gone_is_missing(url: str | None) -> None:
    graph = FakeGraph(profile=WHOLE.model_copy(update={"profile_picture_url": url}))
    probe = await STEP.probe(make_number(graph, results=WITH_PICTURE), None)
    assert probe == (NotDone({"differs": ["picture"]}) if url is None else Done(Evidence({"changed": []})))


async def test_the_picture_is_uploaded_after_the_texts_were_written() -> None:
    graph = FakeGraph(upload_picture="4::handle")
    number = make_number(
        graph, secrets=FakeSecrets(picture=PICTURE.sealed_text().get_secret_value()), results=WITH_PICTURE
    )
    changes = {"about": "We are open", "picture": PICTURE.as_facts()}
    evidence = await STEP.apply(number, make_intent({"changes": changes}))
    assert evidence == Evidence({"changed": ["about", "picture"]})
    assert graph.script.names() == ["set_profile", "upload_picture", "set_profile"]
    assert graph.script.arguments("upload_picture")[0]["picture"] == PICTURE
    written = [call["changes"] for call in graph.script.arguments("set_profile")]
    assert written == [{"about": "We are open"}, {"profile_picture_handle": "4::handle"}]


async def test_a_picture_that_is_no_longer_kept_is_named() -> None:
    number = make_number(FakeGraph(), results=WITH_PICTURE)
    evidence = await STEP.apply(number, make_intent({"changes": {"picture": PICTURE.as_facts()}}))
    assert evidence == Evidence({"changed": [], "not_carried": {"picture": "it is no longer kept"}})


async def test_a_text_that_meta_refuses_costs_no_other_one() -> None:
    """Its answer to all together does not say which it means: all of them were left out, and nobody was told."""
    no = Rejected("POST /whatsapp_business_profile: no", 100, SafeText("Param email is not valid"))
    graph = FakeGraph(set_profile=[no, None, no])
    changes = {"about": "We are open", "email": "hello@acme"}
    evidence = await STEP.apply(make_number(graph, results=WITH_PICTURE), make_intent({"changes": changes}))
    assert isinstance(evidence, Evidence)
    assert (evidence.facts["changed"], list(evidence.facts["not_carried"])) == (["about"], ["email"])
    assert evidence.compared["profile_lost"] == "email"
    assert [call["changes"] for call in graph.script.arguments("set_profile")] == [
        changes, {"about": "We are open"}, {"email": "hello@acme"},
    ]  # fmt: skip


async def test_a_refusal_that_is_not_about_a_text_is_the_engine_s() -> None:
    graph = FakeGraph(set_profile=Rejected("no", 131057, SafeText("in maintenance")))
    with pytest.raises(Rejected):
        await STEP.apply(make_number(graph), make_intent({"changes": {"about": "a", "email": "b"}}))
    assert graph.script.names() == ["set_profile"]
