"""What people type when they name a number."""

import re


def reference(place: int) -> str:
    """`N-0001`: what is printed beside a masked number, and short enough to be said on the phone."""
    return f"N-{place:04d}"


def spellings(named: str) -> tuple[str, ...]:
    """What may be meant, likeliest first: as it was typed, then with the zeros, marks and signs put right.

    `n-1` is N-0001, and `49 (1510) 123-4567` is +4915101234567, as other programs print it.
    """
    typed = named.strip().upper()
    short = re.fullmatch(r"N-?([0-9]{1,9})", typed)
    if short:
        return typed, reference(int(short[1]))
    digits = re.sub(r"[\s().\u00a0\u2010-\u2015-]", "", typed).removeprefix("+")
    # No E.164 number has more digits; Graph's ids may.
    return (typed, digits, f"+{digits}") if re.fullmatch(r"[0-9]{5,20}", digits) else (typed,)
