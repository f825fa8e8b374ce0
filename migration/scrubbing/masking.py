"""Phone numbers as they may be shown: enough to recognise one, not enough to dial it."""

import re
from collections.abc import Callable, Collection

SIGN = "•••"

# Dates, times, addresses of hosts, and codes that are named as such: digits that stay.
_DATE = r"\d{4}-\d{2}-\d{2}|\d{2}[-/.]\d{2}[-/.](?:19|20)\d{2}|(?:19|20)\d{2}/\d{2}/\d{2}"
_TIME = r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?"
_OCTET = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_STAYS = re.compile(
    rf"(?<!\d)(?:(?:{_DATE})(?:[T ]+{_TIME}(?:Z|[ ]?[+-]\d{{2}}:?\d{{2}})?)?|{_TIME}(?:[+-]\d{{2}}:\d{{2}})?)(?![\d:])"
    rf"|(?<![\d.])(?:{_OCTET}\.){{3}}{_OCTET}(?![\d.])"
    r"|\bv\d{1,3}\.\d{1,3}(?!\d)|(?:\(#|\b(?:code|subcode|error|errno|HTTP|status)[ :=#/]{0,2})\d{1,7}(?!\d)",
    re.IGNORECASE,
)
# An id of ours, of 8 hexadecimal digits or more; its digits are no number.
_HEX_ID = r"(?<![0-9A-Za-z])(?=\d{0,63}[a-f])[0-9a-f]{8,64}(?![0-9A-Za-z])"
# A date in the name of a file or of a schema revision.
_DAY = r"(?<!\d)20\d{2}_?(?:0[1-9]|1[0-2])_?(?:0[1-9]|[12]\d|3[01])(?!\d)"
# Graph's error code and subcode, as our own sentences write them: (136024/2388367).
_CODES = r"\(\d{1,6}/\d{7}\)"
# A time as our own sentences and documents write it; `_STAYS` lets each of them stay.
_OUR_TIMES = re.compile(r"(?<!\d)\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?(?:\+00:00)?(?![\d:])")
_OURS_STAYS = re.compile(rf"{_STAYS.pattern}|{_HEX_ID}|{_DAY}|{_CODES}", re.IGNORECASE)
# Digits with what people write between them. The signs between two digits are few, so the work is bounded.
_NEXT_DIGIT = r"(?:[ ().\-/_~*|\u00b7\u2010-\u2015\u2212]{0,4}\d|,\d)"
_NUMBER = re.compile(rf"\+?[(]?\d{_NEXT_DIGIT}*")
MIN_DIGITS, MAX_DIGITS = 8, 15  # of a number that can be dialled; E.164 has 15 at most
# Texts without it have nothing to mask. Most have not, and it is found out in a microsecond.
_ENOUGH_DIGITS = re.compile(rf"\d{_NEXT_DIGIT}{{{MIN_DIGITS - 1}}}")
ID_DIGITS = 14  # ids of Meta have so many or more; hardly any number in use has


def masked(e164: str) -> str:
    """`+15550104321` becomes `+155•••4321`."""
    return f"{e164[:4]}{SIGN}{e164[-4:]}" if len(e164) > 8 else SIGN


def mask_numbers(text: str, keep: Collection[str] = (), *, ids_stay: bool = True) -> str:
    """A text with everything in it masked that could be a phone number. `keep`: ids that stay.

    `ids_stay`: so do long numbers without a plus, which are ids far more often than they are numbers, and hexadecimal
    ids.
    """
    if _ENOUGH_DIGITS.search(text) is None or _ENOUGH_DIGITS.search(_OUR_TIMES.sub("", text)) is None:
        return text
    shortest_id = ID_DIGITS if ids_stay else MAX_DIGITS + 1

    def mask(match: re.Match[str]) -> str:
        return _mask_group(match.group(), keep, shortest_id)

    return _between(_OURS_STAYS if ids_stay else _STAYS, text, lambda part: _NUMBER.sub(mask, part))


def _between(stays: re.Pattern[str], text: str, change: Callable[[str], str]) -> str:
    parts: list[str] = []
    done = 0
    for match in stays.finditer(text):
        parts += [change(text[done : match.start()]), match.group()]
        done = match.end()
    return "".join([*parts, change(text[done:])])


def _mask_group(group: str, keep: Collection[str], shortest_id: int) -> str:
    """Ids in the group stay; what is left of it is masked where it has the digits of a number."""
    runs = list(re.finditer(r"\d+", group))
    for run in runs:
        is_id = len(run.group()) >= shortest_id and not group[: run.start()].endswith("+")
        if run.group() in keep or is_id:
            before = _mask_group(group[: run.start()], keep, shortest_id) if run.start() else ""
            after = _mask_group(group[run.end() :], keep, shortest_id) if run.end() < len(group) else ""
            return before + run.group() + after
    digits = "".join(run.group() for run in runs)
    if len(digits) < MIN_DIGITS:
        return group
    before, after = group[: runs[0].start()], group[runs[-1].end() :]
    return before.rstrip("(+") + _shown("+" in before, digits) + after


def _shown(plus: bool, digits: str) -> str:
    sign = "+" if plus else ""
    if len(digits) > 10:
        return masked(sign + digits)
    return f"{sign}{SIGN}{digits[-4:]}" if plus or len(digits) > MIN_DIGITS else SIGN
