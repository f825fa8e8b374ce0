"""How people name a number: by reference, E.164 or phone number id, in any of the usual notations."""

import re

from state.phone_spelling import plain_digits, spellings

MOST_PERSON = 100  # characters of a person's name, as the columns for one take it


def number_reference(place: int) -> str:
    """`N-0001`: printed beside a masked number, and short enough to be read out on the phone."""
    return f"N-{place:04d}"


def possible_names(typed: str) -> tuple[str, ...]:
    """The names that may be meant, likeliest first: as it was typed, then completed and without separators.

    `n-1` is N-0001, and `49 (1510) 123-4567` is +4915101234567, as other programs print it. Another spelling of the
    number comes last: it may be stored as WhatsApp writes it, or as it is dialled.
    """
    name = plain_digits(typed).strip().upper()
    short = re.fullmatch(r"N-?([0-9]{1,9})", name)
    if short:
        return name, number_reference(int(short[1]))
    digits = re.sub(r"[\s().'/\u00a0\u2010-\u2015-]", "", name).removeprefix("+")
    # An E.164 number has at most 15 digits; Graph's ids may have more.
    return (name, digits, *spellings(digits)) if re.fullmatch(r"[0-9]{5,20}", digits) else (name,)


def holds_name(text: str, name: str) -> bool:
    """Whether the words of a customer's name stand in a text, whatever is between them: `Acme Ltd` in `acme-ltd_2`."""
    wanted = _words(name)
    return bool(wanted.strip()) and wanted in _words(text)


def _words(text: str) -> str:
    words = re.findall(r"[^\W_]+", text.casefold())
    return f" {' '.join(words)} "
