"""Masking of phone numbers in text that others may read."""

import pytest

from migration.scrubbing.masking import mask_numbers, masked


@pytest.mark.parametrize(
    ("number", "shown"),
    [("+15550104321", "+155•••4321"), ("15550104321", "1555•••4321"), ("+1555", "•••"), ("", "•••")],
)
def test_a_masked_number_keeps_its_ends(number: str, shown: str) -> None:
    assert masked(number) == shown


@pytest.mark.parametrize(
    "number",
    ["+15550104321", "15550104321", "+5511912345678", "+1 555 010 4321", "+55 11 91234-5678", "+49 (151) 2345 6789"],
)
@pytest.mark.parametrize("text", ["{}", "the number {} is not yours", "({})", "{}.", "to={},", "n:{}"])
def test_a_number_in_a_text_is_masked(number: str, text: str) -> None:
    result = mask_numbers(text.format(number))
    assert number not in result
    assert "•••" in result
    assert number[-4:].replace("-", "") in result.replace("-", "")


@pytest.mark.parametrize(
    "text",
    [
        "code 133005",
        "wait 300 seconds",
        "2025-09-01T08:00:00",
        "at 2025-10-23 08:00",
        "HTTP 502",
        "/v25.0/106540352242922/register",
    ],
)
def test_text_without_a_phone_number_is_unchanged(text: str) -> None:
    assert mask_numbers(text) == text


def test_an_error_code_and_its_subcode_stay_in_our_own_sentences() -> None:
    sentence = "request_code was refused (136024/2388367): too many"
    assert mask_numbers(sentence) == sentence
    assert "2388367" not in mask_numbers(sentence, ids_stay=False)
