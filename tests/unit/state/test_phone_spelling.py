"""One number in several spellings: WhatsApp's own, those of other scripts, and those with unseen characters."""

import pytest

from state.naming import possible_names
from state.phone_spelling import (
    is_another_number,
    is_same_number,
    plain_digits,
    plain_figure,
    spellings,
    unseen_characters,
)

# As WhatsApp may write it, and as it is dialled.
PAIRS = [
    ("+5215512345678", "+525512345678"),
    ("+5491123456789", "+541123456789"),
    ("+551187654321", "+5511987654321"),
    ("+22507123456", "+2250707123456"),
    ("+22507123456", "+2250507123456"),
    ("+22507123456", "+2250107123456"),
    ("+22997123456", "+2290197123456"),
    ("+5711234567", "+576011234567"),  # Colombia, a fixed number of Bogota
    ("+5741234567", "+576041234567"),
    ("+23777123456", "+237677123456"),  # Cameroon, mobile and fixed
    ("+23722123456", "+237222123456"),
    ("+24107123456", "+24177123456"),  # Gabon, with the 0 and without it
    ("+2417123456", "+24177123456"),
    ("+24104123456", "+24174123456"),
    ("+59399123456", "+593999123456"),  # Ecuador
    ("+841201234567", "+84701234567"),  # Vietnam
    ("+841691234567", "+84391234567"),
    ("+22520123456", "+2252720123456"),  # a fixed number of Cote d'Ivoire
    ("+2307123456", "+23057123456"),  # Mauritius
    ("+9743123456", "+97433123456"),  # Qatar
    ("+99599123456", "+995599123456"),  # Georgia
    ("+37744123456", "+38344123456"),  # Kosovo
    ("+38649123456", "+38349123456"),
    ("+59387123456", "+593987123456"),
]


@pytest.mark.parametrize(("whatsapp", "dialled"), PAIRS)
def test_both_spellings_are_one_number(whatsapp: str, dialled: str) -> None:
    assert is_same_number(dialled, whatsapp)
    assert is_same_number(whatsapp, dialled)
    assert whatsapp in possible_names(dialled)
    assert dialled in possible_names(whatsapp)
    assert spellings(dialled)[0] == dialled


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("+525512345678", "+525512345679"),
        ("+525512345678", "+541112345678"),
        ("+5511987654321", "+5521987654321"),
        ("+551133334444", "+5511933334444"),  # a landline: its first digit is 2 to 5, and it never got a 9
        ("+15550104321", "+115550104321"),
        ("+49915101234567", "+4915101234567"),
        ("+2250707123456", "+2250507123456"),  # two operators: two subscribers
        ("+24174123456", "+24177123456"),
        ("+576011234567", "+576041234567"),
        ("+2302123456", "+23052123456"),  # a fixed number of Mauritius, and a mobile one
        ("+9743123456", "+97434123456"),
        ("+841201234567", "+84791234567"),
        ("+37744123456", "+38644123456"),
        ("+59322345678", "+593922345678"),  # a fixed number of Quito
    ],
)
def test_another_number_is_another_number(one: str, other: str) -> None:
    assert not is_same_number(one, other)
    assert not is_same_number(other, one)


@pytest.mark.parametrize("shown", ["", "unknown", "-", "\u2066\u2069"])
def test_a_word_without_a_digit_names_no_other_number(shown: str) -> None:
    assert not is_another_number("+525512345678", shown)
    assert is_another_number("+525512345678", "12")


@pytest.mark.parametrize("shown", ["+52 1 55 1234 5678", "52 1 (55) 1234-5678", "5215512345678", "+٥٢١٥٥١٢٣٤٥٦٧٨"])
def test_separators_and_scripts_do_not_matter(shown: str) -> None:
    assert is_same_number("+525512345678", shown)


@pytest.mark.parametrize(
    ("typed", "plain"),
    [
        ("١٢٣٤٥٦", "123456"),  # Arabic-Indic
        ("۱۲۳۴۵۶", "123456"),  # Persian
        ("१२३४५६", "123456"),  # Devanagari
        ("\uff11\uff12\uff13-\uff14\uff15\uff16", "123-456"),  # full-width
        ("\u2066123456\u2069", "123456"),  # direction isolates
        ("123\u200b456", "123456"),
        ("\ufeff123456", "123456"),
        ("\u180e12\u3164345\ufe0f6", "123456"),  # fillers and a variation selector
        ("\U0001d7cf\U0001d7d0\U0001d7d1456", "123456"),  # mathematical bold
        ("½", "½"),  # a fraction is no digit
        ("²", "²"),
    ],
)
def test_digits_of_every_script(typed: str, plain: str) -> None:
    assert plain_digits(typed) == plain


def test_unseen_characters_are_named() -> None:
    assert unseen_characters("a\u200bb\u202ec\nd") == (
        "U+200B ZERO WIDTH SPACE",
        "U+202E RIGHT-TO-LEFT OVERRIDE",
        "U+000A control character",
    )
    assert unseen_characters("Ünïcode ٣ 名前 👍") == ()
    assert unseen_characters("Ac\u3164me\u2800") == ("U+3164 HANGUL FILLER", "U+2800 BRAILLE PATTERN BLANK")


def test_spaces_that_a_spreadsheet_puts_between_digits_are_left_out() -> None:
    assert plain_figure("\u00a01\u202f200\u2009000 ") == "1200000"
    assert plain_figure("12 34") == "12 34"  # whoever typed it sees it


def test_a_reference_may_come_with_what_a_chat_puts_around_it() -> None:
    assert "N-0007" in possible_names("\u2068n-7\u2069 ")


@pytest.mark.parametrize("typed", ["+52/55/1234 5678", "'+525512345678", "+52 (55) 1234.5678", "٥٢٥٥١٢٣٤٥٦٧٨"])
def test_a_number_is_found_as_it_may_stand_in_an_inventory(typed: str) -> None:
    assert "+525512345678" in possible_names(typed)
