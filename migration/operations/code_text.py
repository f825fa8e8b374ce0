"""The verification code in a text: an SMS in any language, with the digits of any script. Pure functions."""

import re

from state.phone_spelling import plain_digits

# What stands between the halves of a code where it was copied from a message: WhatsApp writes 123-456.
_BETWEEN = r"[\s\u00a0\u2010-\u2015\u2212\ufe63\uff0d._-]"
_SEPARATORS = re.compile(_BETWEEN)
_ONLY_DIGITS = re.compile(rf"[0-9](?:{_BETWEEN}*[0-9])*")
# Phone numbers in a text, as they are written for other countries.
_PHONE = re.compile(r"(?:\+|\b00)[0-9](?:[\s().-]*[0-9]){6,14}")
# A code stands alone: no letter, digit or sign of a date, time or amount touches it. The hash that an SMS carries for
# an app (4sgLq1p5sV6) has no digits that stand alone.
_BEFORE, _AFTER = r"(?<![0-9A-Za-z])(?<![0-9][.,:/-])", r"(?![0-9A-Za-z])(?![.:/-][0-9])"
_HYPHEN = r"[-\u2010-\u2015\u2212\ufe63\uff0d]"
_JOINED = re.compile(rf"{_BEFORE}([0-9]{{3}}){_HYPHEN}?([0-9]{{3}}){_AFTER}")
_GAP = rf"\s(?:{_HYPHEN}\s)?"
_SPACED = re.compile(
    rf"{_BEFORE}(?<![0-9]\s)(?<![0-9]\s{_HYPHEN}\s)([0-9]{{3}}){_GAP}([0-9]{{3}}){_AFTER}(?!{_GAP}[0-9]{{3}})"
)


def codes_in(text: str) -> tuple[str, ...]:
    """The different codes of six digits in a text, in the order in which they stand there.

    A text of digits and separators alone is a code where it has six digits, whatever stands between them.
    """
    plain = plain_digits(text).strip()
    if _ONLY_DIGITS.fullmatch(plain):
        digits = _SEPARATORS.sub("", plain)
        return (digits,) if len(digits) == 6 else ()
    without_phones = _PHONE.sub(" ", plain)
    found = ["".join(match) for match in _JOINED.findall(without_phones)]
    found = found or ["".join(match) for match in _SPACED.findall(without_phones)]
    return tuple(dict.fromkeys(found))
