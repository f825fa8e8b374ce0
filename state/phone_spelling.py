"""One phone number in several spellings: digits of other scripts, invisible characters, and how WhatsApp writes it.

A number's identity is its phone number id. Its spelling is a property of each side: WhatsApp keeps the form in which
a number was first registered, also after its country has changed its numbers.
"""

import re
import unicodedata

# Pairs of forms: what the number begins with in one form and in the other; the rest has that many digits.
_FORMS = (
    # Mexico: the 1 of mobile numbers is not dialled any more since 2019. https://www.itu.int/oth/T020200008A/en
    ("521", "52", 10),
    # Argentina: the 9 of mobile numbers is dialled from abroad, and left out in other notations.
    ("549", "54", 10),
    # Cote d'Ivoire, since 31 January 2021: 8 digits have become 10, with two digits of the operator in front.
    *((f"2250{operator}", "225", 8) for operator in "157"),
    # Benin, since 30 November 2024: 8 digits have become 10, with 01 in front.
    ("22901", "229", 8),
)
# Brazil: mobile numbers have a 9 after the area code since 2016; WhatsApp keeps older ones without it.
_BRAZIL = re.compile(r"55([1-9]{2})9?([6-9][0-9]{7})")


def spellings(e164: str) -> tuple[str, ...]:
    """The same number in every form, as E.164 with its plus; first the given one. Any text gives at least itself."""
    digits = e164.removeprefix("+")
    forms = [digits]
    for long, short, rest in _FORMS:
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


def plain_digits(text: str) -> str:
    """The text with the digits of every script as 0 to 9, and without characters that nobody can see.

    Zero-width and direction characters come with text that was copied from a chat, a page or a spreadsheet.
    """
    return "".join(_plain(character) for character in text)


def unseen_characters(text: str) -> tuple[str, ...]:
    """The names of the characters in a text that nobody can see: control, format and private-use characters."""
    unseen = dict.fromkeys(character for character in text if unicodedata.category(character) in _UNSEEN)
    return tuple(f"U+{ord(character):04X} {unicodedata.name(character, 'control character')}" for character in unseen)


_UNSEEN = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp"})


def _plain(character: str) -> str:
    if character.isascii():
        return character
    if unicodedata.category(character) in _UNSEEN:
        return ""
    digit = unicodedata.decimal(character, None)
    if digit is not None:
        return str(digit)
    return "+" if character == "\N{FULLWIDTH PLUS SIGN}" else character
