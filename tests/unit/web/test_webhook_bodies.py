"""What is read of a webhook's body: any JSON gives updates or one refusal, and batching changes nothing."""

import hashlib
import hmac
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from migration.web.webhooks.envelope import CLOUD, Sender, Unreadable, read_envelope
from migration.web.webhooks.signature import challenge_of, is_signed

US = Sender("main", "77")
SECRET = SecretStr("the-apps-own-secret")
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
NAMES = st.sampled_from(
    (
        *("id", "field", "value", "metadata", "phone_number_id", "display_phone_number", "phone_number", "event"),
        *("statuses", "messages", "errors", "code", "timestamp", "status", "type", "ban_info", "restriction_info"),
    )
)
JSON = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=6))
FIELDS = st.sampled_from(("messages", "account_update", "security", "of_tomorrow"))
CHANGES = st.fixed_dictionaries({"field": FIELDS | JSON, "value": st.dictionaries(NAMES, JSON, max_size=6) | JSON})
ENTRIES = st.fixed_dictionaries(
    {"id": st.integers(1, 10**15).map(str), "time": st.integers(0, 2**31), "changes": st.lists(CHANGES, max_size=4)}
)


def read(value: Any) -> list[str]:
    return [update.key for update in read_envelope(json.dumps(value).encode(), US)]


@given(JSON)
def test_any_json_gives_updates_or_one_refusal(value: Any) -> None:
    for body in (value, {"object": CLOUD, "entry": value}, {"object": CLOUD, "entry": [{"id": "1", "changes": value}]}):
        try:
            read(body)
        except Unreadable:
            assert not isinstance(body, dict)


@given(st.binary())
def test_any_bytes_give_updates_or_one_refusal(body: bytes) -> None:
    with suppress(Unreadable):
        read_envelope(body, US)


@settings(deadline=None)
@given(st.lists(ENTRIES, max_size=4), st.randoms(use_true_random=False))
def test_what_is_stored_fits_and_does_not_depend_on_order_copies_and_batches(entries: list[Any], dice: Any) -> None:
    whole = read_envelope(json.dumps({"object": CLOUD, "entry": entries}).encode(), US)
    for update in whole:
        assert len(update.field) <= 60
        assert len(update.waba_id) <= 40
        assert all(isinstance(fact, bool) or len(str(fact)) <= 60 for fact in update.facts.values())
        assert "\0" not in repr(update)
    single = [entry | {"changes": [change]} for entry in entries for change in entry["changes"]]
    sent = [*single, *single[:2]]
    dice.shuffle(sent)
    apart = {key for entry in sent for key in read({"object": CLOUD, "entry": [entry]})}
    assert apart == {update.key for update in whole}


@given(st.binary(), st.text())
def test_only_the_hash_of_the_raw_body_is_a_signature(body: bytes, other: str) -> None:
    right = f"sha256={hmac.new(b'the-apps-own-secret', body, hashlib.sha256).hexdigest()}"
    assert is_signed(body, right, SECRET)
    assert not is_signed(body + b" ", right, SECRET)
    assert not is_signed(body, other, SECRET)


@pytest.mark.parametrize("challenge", ["1", "1158201444", "abc-DEF_9.x"])
def test_a_challenge_is_given_back_as_it_is(challenge: str) -> None:
    query = {"hub.mode": "subscribe", "hub.verify_token": "the-apps-own-secret", "hub.challenge": challenge}
    assert challenge_of(query, SECRET) == challenge
    assert challenge_of(query | {"hub.verify_token": ""}, SECRET) is None


@pytest.mark.parametrize(("given", "kept"), [(131026, 131026), ("131026", 131026), (2**31, None), (10**14, None)])
def test_an_error_code_fits_its_column(given: object, kept: int | None) -> None:
    """On PostgreSQL one that does not would keep every other webhook of its batch from having its effect."""
    status = {"id": "wamid.1", "status": "failed", "timestamp": "1764144000", "errors": [{"code": given}]}
    value = {"metadata": {"phone_number_id": "106540352242922"}, "statuses": [status]}
    entry = {"id": "10229", "changes": [{"field": "messages", "value": value}]}
    body = json.dumps({"object": CLOUD, "entry": [entry]}).encode()
    (update,) = read_envelope(body, Sender("main", "77"))
    assert update.facts.get("code") == kept


@pytest.mark.parametrize("given", ["REINSTATE", ["REINSTATE"]])
def test_a_word_in_a_list_of_one_is_that_word(given: object) -> None:
    """Without it a lifted ban would read as a ban."""
    value = {"event": "DISABLED_UPDATE", "ban_info": {"waba_ban_state": given}}
    entry = {"id": "10229", "time": 1764144000, "changes": [{"field": "account_update", "value": value}]}
    (update,) = read_envelope(json.dumps({"object": CLOUD, "entry": [entry]}).encode(), US)
    assert update.facts["ban_info.waba_ban_state"] == "REINSTATE"


def of_messages(**value: Any) -> Any:
    entry = {"id": "10229", "changes": [{"field": "messages", "value": value}]}
    (update,) = read_envelope(json.dumps({"object": CLOUD, "entry": [entry]}).encode(), US)
    return update.facts


@pytest.mark.parametrize("author", ["5511987654321", "551187654321"])
def test_what_the_number_itself_wrote_is_an_echo_however_meta_spells_it(author: str) -> None:
    """Brazil, with its ninth digit and without: taken for a consumer's, it would prove that the number receives."""
    place = {"display_phone_number": "5511987654321", "phone_number_id": "106540352242922"}
    row = {"from": author, "id": "wamid.1", "timestamp": "1764144000", "type": "text"}
    assert of_messages(metadata=place, messages=[row])["type"] == "echo"


def test_of_several_errors_the_one_that_concerns_the_account_counts() -> None:
    errors = [{"code": 131026}, {"code": "131042"}, {"title": "without a code"}]
    status = {"id": "wamid.1", "status": "failed", "timestamp": "1764144000", "errors": errors}
    assert of_messages(metadata={"phone_number_id": "106540352242922"}, statuses=[status])["code"] == 131042
