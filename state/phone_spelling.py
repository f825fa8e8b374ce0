"""One phone number in several spellings: digits of other scripts, invisible characters, and how WhatsApp writes it.

A number's identity is its phone number id. Its spelling is a property of each side: WhatsApp keeps the form in which
a number was first registered, also after its country has changed its numbers.
"""

import re
import unicodedata
from collections.abc import Mapping

# Old digit of an operator of Gabon -> the new ones.
_GABON = (("1", "11"), ("2", "62"), ("4", "74"), ("5", "65"), ("6", "66"), ("7", "77"))
# Vietnam: old code of an operator -> the new one.
_VIETNAM = (
    *(("120", "70"), ("121", "79"), ("122", "77"), ("126", "76"), ("128", "78")),
    *(("123", "83"), ("124", "84"), ("125", "85"), ("127", "81"), ("129", "82")),
    *((f"16{last}", f"3{last}") for last in "23456789"),
    *(("186", "56"), ("188", "58"), ("199", "59")),
)
# Kosovo: its numbers were numbers of Monaco and Slovenia. No source was at hand.
_KOSOVO = tuple(
    (f"383{code}", f"{old}{code}", 6) for old, code in (("377", "44"), ("377", "45"), ("386", "43"), ("386", "49"))
)
# Country -> pairs of forms: what a number begins with in one form and in the other; the rest has that many digits.
_FORMS: Mapping[str, tuple[tuple[str, str, int], ...]] = {
    # Mexico: the 1 of mobile numbers is not dialled any more since 2019. https://www.itu.int/oth/T020200008A/en
    "52": (("521", "52", 10),),
    # Argentina: the 9 of mobile numbers is dialled from abroad, and left out in other notations.
    "54": (("549", "54", 10),),
    # Colombia, since 1 September 2021: fixed numbers of 8 digits have 10, with 60 in front.
    # https://radionacional.co/actualidad/como-marcar-de-celular-a-fijo-en-colombia
    "57": tuple((f"5760{area}", f"57{area}", 7) for area in "1245678"),
    # Vietnam, since 15 September 2018: mobile numbers of 10 digits have 9.
    # https://lawnet.vn/en/laws/what-is-the-current-list-of-prefixes-of-vietnamese-phone-numbers-of-mobile-network-operators-what-i-134777.html
    "84": tuple((f"84{old}", f"84{new}", 7) for old, new in _VIETNAM),
    # Cote d'Ivoire, since 31 January 2021: 8 digits have become 10, with two digits of the operator in front; those of
    # fixed numbers begin with 2.
    "225": tuple((f"225{operator}", "225", 8) for operator in ("01", "05", "07", "21", "25", "27")),
    # Benin, since 30 November 2024: 8 digits have become 10, with 01 in front.
    "229": (("22901", "229", 8),),
    # Mauritius, since 1 September 2013: mobile numbers of 7 digits have 8, with 5 in front; fixed ones (2, 4, 6) stay.
    # https://www.commsupdate.com/articles/2013/09/02/mauritius-migrates-to-a-new-8-digit-mobile-numbering-plan/
    "230": tuple((f"2305{old}", f"230{old}", 6) for old in "79"),
    # Cameroon, since 21 November 2014: 8 digits have become 9, with 6 in front of mobile and 2 of fixed numbers.
    # https://cio-mag.com/?p=1396
    "237": tuple((f"237{new}{old}", f"237{old}", 7) for new, first in (("6", "56789"), ("2", "23")) for old in first),
    # Gabon, since 15 November 2019: 7 digits, or 8 where the 0 was written, have become 8.
    # https://www.pouvoirsafrique.com/2019/11/19/telephonie-mobile-au-gabon-la-nouvelle-numerotation-effective/
    # http://news.alibreville.com/h/114469.html
    "241": tuple((f"241{new}", f"241{zero}{old}", 6) for old, new in _GABON for zero in ("0", "")),
    # Countries of the former codes of Kosovo, and its own since 2017.
    "377": _KOSOVO,
    "383": _KOSOVO,
    "386": _KOSOVO,
    # Ecuador, since 30 September 2012: mobile numbers of 8 digits have 9, with 9 in front. No source was at hand.
    "593": tuple((f"5939{old}", f"593{old}", 7) for old in "89"),
    # Qatar, since 28 July 2010: 7 digits have become 8, the first of them twice.
    # https://www.cra.gov.qa/en/press-releases/qatars-phone-numbers-expand-digit-meet-growing-demand
    "974": tuple((f"974{first}{first}", f"974{first}", 6) for first in "34567"),
    # Georgia, since 2011: mobile numbers of 8 digits have 9, with 5 in front. No source of the digits was at hand.
    "995": tuple((f"9955{old}", f"995{old}", 7) for old in "579"),
}
_COUNTRIES = ("55", *_FORMS)
# Brazil: mobile numbers have a 9 after the area code since 2016; WhatsApp keeps older ones without it.
_BRAZIL = re.compile(r"55([1-9]{2})9?([6-9][0-9]{7})")


def spellings(e164: str) -> tuple[str, ...]:
    """The same number in every form, as E.164 with its plus; first the given one. Any text gives at least itself."""
    digits = e164.removeprefix("+")
    if not digits.startswith(_COUNTRIES):
        return (f"+{digits}",)
    forms = [digits]
    for long, short, rest in (pair for country in _FORMS if digits.startswith(country) for pair in _FORMS[country]):
        if re.fullmatch(f"{long}[0-9]{{{rest}}}", digits):
            forms.append(short + digits.removeprefix(long))
        elif re.fullmatch(f"{short}[0-9]{{{rest}}}", digits):
            forms.append(long + digits.removeprefix(short))
    brazil = _BRAZIL.fullmatch(digits)
    if brazil is not None:
        forms += [f"55{brazil[1]}{brazil[2]}", f"55{brazil[1]}9{brazil[2]}"]
    return tuple(dict.fromkeys(f"+{form}" for form in forms))


def is_same_number(one: str, other: str) -> bool:
    """Whether both are spellings of one number; `other` may have any separators."""
    digits = re.sub(r"[^0-9]", "", plain_digits(other))
    return f"+{digits}" in spellings(one)


def is_another_number(one: str, other: str) -> bool:
    """As `is_same_number`, for a far side's word: one without a digit says nothing about which number it is."""
    return any(map(str.isdigit, plain_digits(other))) and not is_same_number(one, other)


def plain_digits(text: str) -> str:
    """The text with the digits of every script as 0 to 9, and without characters that nobody can see.

    Zero-width and direction characters come with text that was copied from a chat, a page or a spreadsheet.
    """
    return text if text.isascii() else "".join(_plain(character) for character in text)


def plain_figure(text: str) -> str:
    """As `plain_digits`, without spaces at the ends, and without those within that are no plain space.

    Spreadsheets and pages put such spaces between groups of digits.
    """
    return _WIDE_SPACES.sub("", plain_digits(text)).strip()


def unseen_characters(text: str) -> tuple[str, ...]:
    """The names of the characters in a text that nobody can see: control, format and private-use ones, fillers."""
    if text.isprintable() and (text.isascii() or not _BLANKS.intersection(text)):
        return ()
    unseen = dict.fromkeys(character for character in text if _is_unseen(character))
    return tuple(f"U+{ord(character):04X} {unicodedata.name(character, 'control character')}" for character in unseen)


_UNSEEN = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp"})
# Letters and marks by category, and shown as nothing: joiners, fillers of Hangul and Braille, variation selectors.
# https://www.unicode.org/Public/UCD/latest/ucd/DerivedCoreProperties.txt (Default_Ignorable_Code_Point)
_RANGES = (
    *((0x34F, 0x34F), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x2800, 0x2800)),
    *((0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFFA0, 0xFFA0), (0xE0100, 0xE01EF)),
)
_BLANKS = frozenset(chr(code) for first, last in _RANGES for code in range(first, last + 1))
_WIDE_SPACES = re.compile(r"[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")


def _is_unseen(character: str) -> bool:
    return character in _BLANKS or unicodedata.category(character) in _UNSEEN


def _plain(character: str) -> str:
    if character.isascii():
        return character
    if _is_unseen(character):
        return ""
    digit = unicodedata.decimal(character, None)
    if digit is not None:
        return str(digit)
    return "+" if character == "\N{FULLWIDTH PLUS SIGN}" else character
