"""A text that is shown as it is, because it holds nothing to take out, is one that the long way leaves as it is too."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from migration.scrubbing import characters, masking
from migration.scrubbing.known import KNOWN
from migration.scrubbing.rendering import for_cell, for_cells, for_json
from migration.scrubbing.texts import is_plain, once_more
from state.enums import Status

# What numbers, times and what hides them are made of, and whole times of ours between them.
PIECES = st.one_of(
    st.sampled_from(
        ["2026-11-27 08:00:00", "2026-11-27T08:00:00.000001+00:00", " UTC", "12/12/", "code ", "+49", "(#"]
    ),
    st.text(alphabet="0123456789+-(). /:,T٣\u0000\u200b\u00a0•abf", max_size=6),
    st.text(max_size=3),
)
TEXTS = st.lists(PIECES, max_size=8).map("".join)


def _masked_the_long_way(text: str) -> str:
    def mask(match: Any) -> str:
        return masking._mask_group(match.group(), (), masking.ID_DIGITS)

    return masking._between(masking._OURS_STAYS, text, lambda part: masking._NUMBER.sub(mask, part))


@settings(max_examples=500)
@given(TEXTS)
def test_no_number_passes_the_quick_look(text: str) -> None:
    assert masking.mask_numbers(text) == _masked_the_long_way(text)


@settings(max_examples=300)
@given(TEXTS)
def test_no_character_passes_the_quick_look(text: str) -> None:
    assert characters.visible(text) == characters._visible(characters._ESCAPES.sub("", text))


@settings(max_examples=300)
@given(TEXTS)
def test_a_plain_text_is_what_the_last_net_makes_of_it(text: str) -> None:
    if is_plain(text, 300):
        KNOWN.remember(["a-secret-that-no-text-here-holds-1"])
        assert not is_plain(text, 300)
        assert once_more(text, 300) == text
        KNOWN.__init__()  # type: ignore[misc]


def test_a_known_secret_is_taken_out_of_a_list_and_of_a_document() -> None:
    KNOWN.remember(["s3cret-word-77"])
    assert for_cells([["a s3cret-word-77", "b"]]) == [["a •••", "b"]]
    assert for_json([{"a": "a s3cret-word-77"}]) == [{"a": "a •••"}]


def test_cells_are_those_of_one_cell_alone() -> None:
    values: list[object] = [
        "a  b",
        " x",
        "",
        None,
        7,
        "+4915112345678",
        "N-0001",
        "\x1b[31mred",
        Status.READY,
        "N-0001",
    ]
    assert for_cells([values, values]) == [[for_cell(value) for value in values]] * 2


def test_a_document_has_times_in_iso_form_and_only_texts_that_may_be_shown() -> None:
    at = datetime(2026, 11, 27, 8, tzinfo=UTC)
    document = {"at": at, "of": ("x", [None, True, 1.5, 12345678901]), "status": Status.READY, "to": "+4915112345678"}
    assert for_json({"+4915112345678": document}) == {
        "+491•••5678": {
            "at": "2026-11-27T08:00:00+00:00",
            "of": ["x", [None, True, 1.5, 12345678901]],
            "status": "ready",
            "to": "+491•••5678",
        }
    }
