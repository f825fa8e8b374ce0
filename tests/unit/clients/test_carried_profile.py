"""A business profile goes from On-Premises to Cloud API: what does not fit is named, never dropped in silence."""

from typing import Any

import pytest

from migration.clients.carried_profile import carried_profile
from migration.clients.industries import CLOUD_WORDS, ONPREM_WORDS


def carry(about: Any = None, **fields: Any) -> tuple[dict[str, Any], dict[str, str]]:
    about_node = {"settings": {"profile": {"about": {"text": about}}}}
    profile = carried_profile({"settings": {"business": {"profile": fields}}}, about_node)
    return profile.as_facts(), dict(profile.not_carried)


def test_on_premises_has_seventeen_industries_and_cloud_has_a_word_for_each() -> None:
    assert len(ONPREM_WORDS) == 17
    assert set(ONPREM_WORDS.values()) <= CLOUD_WORDS
    assert len(set(ONPREM_WORDS.values())) == 17


@pytest.mark.parametrize(("word", "cloud"), ONPREM_WORDS.items())
@pytest.mark.parametrize(
    "spell", [str, str.upper, str.lower, lambda word: f"  {word}  ", lambda word: word.replace("and", "&")]
)
def test_each_industry_is_carried_in_every_spelling(spell: Any, word: str, cloud: str) -> None:
    assert carry(vertical=spell(word)) == ({"vertical": cloud}, {})


@pytest.mark.parametrize("word", sorted(CLOUD_WORDS))
def test_a_word_of_cloud_stays(word: str) -> None:
    assert carry(vertical=word) == ({"vertical": word}, {})


@pytest.mark.parametrize("nothing", [None, ""])
def test_what_is_not_set_is_not_lost(nothing: Any) -> None:
    fields = dict.fromkeys(("vertical", "websites", "address", "description", "email"), nothing)
    assert carry(nothing, **fields) == ({}, {})


def test_all_fields_are_carried() -> None:
    facts, lost = carry("Hi", address="1 Road", description="We sell", email="a@b.test", websites=["https://a.test"])
    assert facts == {
        "about": "Hi",
        "address": "1 Road",
        "description": "We sell",
        "email": "a@b.test",
        "websites": ["https://a.test"],
    }
    assert lost == {}


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("vertical", "Space Travel", "Cloud API has no word for this industry"),
        ("vertical", 7, "Cloud API has no word for this industry"),
        ("address", "x" * 257, "has 257 characters, Cloud API takes 256"),
        ("email", "x" * 129, "has 129 characters, Cloud API takes 128"),
        ("description", ["a list"], "is not text"),
        ("websites", ["a.test"], "Cloud API takes 2 addresses with http:// or https:// in front"),
        ("websites", {"an": "object"}, "Cloud API takes 2 addresses with http:// or https:// in front"),
    ],
)
def test_what_cannot_be_carried_is_named(field: str, value: Any, reason: str) -> None:
    facts, lost = carry(**{field: value})
    assert (facts, lost) == ({}, {field: reason})


def test_a_third_website_is_named_and_the_first_two_are_carried() -> None:
    websites = [f"https://{name}.test" for name in "abc"]
    facts, lost = carry(websites=websites)
    assert facts == {"websites": websites[:2]}
    assert "websites" in lost


@pytest.mark.parametrize("body", [None, [], "x", 1, {}, {"settings": None}, {"settings": {"business": []}}])
def test_an_answer_of_another_shape_carries_nothing(body: Any) -> None:
    profile = carried_profile(body, body)
    assert (profile.as_facts(), profile.not_carried) == ({}, {})
