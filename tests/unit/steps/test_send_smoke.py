"""One message goes out from the number on Cloud, at most once."""

from dataclasses import replace
from typing import Any

import pytest

from migration.errors import OutcomeUnknown, Rejected
from migration.scrubbing.texts import SafeText
from migration.steps.outcomes import Done, Draft, Evidence, NotDone
from migration.steps.protocol import READS_LAG, Step, StepContract
from migration.steps.send_smoke import SendSmoke
from state.enums import Promise
from state.proof import message_key
from tests.harness.fake_clients import FakeGraph
from tests.harness.hand_made_number import (
    PHONE_NUMBER_ID,
    SEND_BY,
    kinds,
    make_intent,
    make_number,
    probe_repeatedly,
)

STEP: Step = SendSmoke()
INTENT = make_intent({"correlation": "smoke-1"})


def test_contract() -> None:
    assert STEP.contract == StepContract(name="send_smoke", promise=Promise.AT_MOST_ONCE, repeats_after=READS_LAG)


async def test_its_correlation_is_invented_before_the_call() -> None:
    assert await STEP.check(make_number()) is None
    assert await STEP.prepare(make_number()) == Draft({"correlation": "smoke-0001020304050607"})


@pytest.mark.parametrize("before_an_attempt", [True, False])
async def test_without_a_recipient_nothing_is_sent(before_an_attempt: bool) -> None:
    probe = await STEP.probe(make_number(), None if before_an_attempt else INTENT)
    assert probe == Done(Evidence({"sent": False, "why": "no recipient is named for smoke messages"}))


async def test_before_a_first_attempt_it_is_not_sent() -> None:
    assert await STEP.probe(make_number(smoke_to="+15550109999"), None) == NotDone({"sent": False})


async def test_a_lost_answer_may_mean_that_it_went_out_and_is_never_repeated() -> None:
    probes = await probe_repeatedly(STEP, make_number(smoke_to="+15550109999"), INTENT, 2)
    assert kinds(probes) == ["Done", "Done"]
    assert probes[0] == Done(
        Evidence(
            {"sent": "unknown", "why": "the answer was lost; not sent again", "correlation": "smoke-1"},
            message={"correlation": "smoke-1", "state": "unknown"},
        )
    )


@pytest.mark.parametrize(
    ("of_the_number", "of_the_admin_file", "to"),
    [
        ("+15550100099", "+15550109999", "+15550100099"),
        ("+15550100099", None, "+15550100099"),
        (None, "+15550109999", "+15550109999"),
    ],
)
async def test_the_recipient_of_the_number_comes_before_that_of_the_admin_file(
    of_the_number: str | None, of_the_admin_file: str | None, to: str
) -> None:
    graph = FakeGraph(send_template="wamid.1")
    number = make_number(graph, default_smoke_to=of_the_admin_file, smoke_to=of_the_number)
    await STEP.apply(number, INTENT)
    assert [arguments["to"] for arguments in graph.script.arguments("send_template")] == [to]


async def test_apply_sends_the_template_once_and_keeps_its_id() -> None:
    graph = FakeGraph(send_template="wamid.1")
    evidence = await STEP.apply(make_number(graph, smoke_to="+15550109999"), INTENT)
    assert evidence == Evidence(
        {"sent": True, "correlation": "smoke-1", "message": message_key("wamid.1")},
        message={"correlation": "smoke-1", "wamid": message_key("wamid.1"), "state": "accepted"},
    )
    assert [(call.name, dict(call.arguments)) for call in graph.script.calls] == [
        (
            "send_template",
            {
                "phone_number_id": PHONE_NUMBER_ID,
                "to": "+15550109999",
                "template": "hello_world",
                "language": "en_US",
                "correlation": "smoke-1",
                "send_by": SEND_BY,
            },
        )
    ]


async def test_a_lost_answer_is_raised_and_nothing_is_sent_again() -> None:
    graph = FakeGraph(send_template=OutcomeUnknown("no answer"))
    with pytest.raises(OutcomeUnknown):
        await STEP.apply(make_number(graph, smoke_to="+15550109999"), INTENT)
    assert graph.script.names() == ["send_template"]


@pytest.mark.parametrize("code", [131047, 131026, 130497, 132001, 132015])
async def test_a_refusal_of_the_message_is_a_message_that_failed_and_keeps_no_number(code: int) -> None:
    graph = FakeGraph(send_template=Rejected("POST /messages: no", code, SafeText("no")))
    evidence = await STEP.apply(make_number(graph, smoke_to="+15550109999"), INTENT)
    assert isinstance(evidence, Evidence)
    assert evidence.message == {"correlation": "smoke-1", "state": "failed", "error": code}
    assert evidence.facts["sent"] is False


@pytest.mark.parametrize(
    ("code", "of_account"), [(131042, True), (131031, True), (368, True), (100, False), (None, False)]
)
async def test_a_refusal_of_its_account_or_of_no_known_kind_keeps_no_senders_waiting(
    code: int | None, of_account: bool
) -> None:
    """It is on Cloud: what its senders send gets the same answer, now or when somebody has mended it."""
    graph = FakeGraph(send_template=Rejected("POST /messages: no", code, SafeText("no")))
    evidence = await STEP.apply(make_number(graph, smoke_to="+15550109999"), INTENT)
    assert isinstance(evidence, Evidence)
    assert evidence.message == {"correlation": "smoke-1", "state": "failed", "error": code or 0}
    assert evidence.answered == (("error", {"code": code}) if of_account else None)


@pytest.mark.parametrize(("code", "subcode"), [(131045, None), (133010, None), (33, None), (100, 33), (131057, None)])
async def test_a_refusal_that_says_that_it_may_not_be_on_cloud_is_raised(code: int, subcode: int | None) -> None:
    graph = FakeGraph(send_template=Rejected("POST /messages: no", code, SafeText("no"), subcode))
    with pytest.raises(Rejected):
        await STEP.apply(make_number(graph, smoke_to="+15550109999"), INTENT)


@pytest.mark.parametrize("mode", ["read-only", "inbound", "passive"])
@pytest.mark.parametrize("how", ["smoke", "wave_smoke", "wave_smoke_canary"])
async def test_a_mode_without_a_message_sends_none(mode: str, how: str) -> None:
    columns: dict[str, Any] = {how: mode}
    number = make_number(smoke_to="+15550109999", canary=True, **columns)
    done = Done(Evidence({"sent": False, "why": f"its wave asks for no message: {mode}"}))
    assert await STEP.probe(number, None) == done


@pytest.mark.parametrize(
    "columns",
    [{}, {"wave_smoke": "round-trip"}, {"wave_smoke": "passive", "smoke": "outbound"},
     {"wave_smoke": "outbound", "wave_smoke_canary": "inbound", "canary": False}],
)  # fmt: skip
async def test_a_mode_with_a_message_sends_it(columns: dict[str, Any]) -> None:
    assert await STEP.probe(make_number(smoke_to="+15550109999", **columns), None) == NotDone({"sent": False})


async def test_a_text_of_the_admin_file_takes_the_templates_place() -> None:
    graph = FakeGraph(send_text="wamid.2")
    number = make_number(graph, smoke_to="+15550109999")
    number = replace(number, smoke=replace(number.smoke, text="Hello"))
    assert (await STEP.apply(number, INTENT)).facts["message"] == message_key("wamid.2")  # type: ignore[union-attr]
    assert graph.script.calls[-1].name == "send_text"
