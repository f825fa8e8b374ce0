"""Who of the operators on duty calls for a number's code, so that two do not call the same person."""

import hashlib
from collections.abc import Sequence

from state.ledger.people import Shift


def assigned(ref: str, language: str | None, duty: Sequence[Shift], at_the_phone: str | None = None) -> str | None:
    """The name of one of those on duty, who speaks the language where one of them does; None: nobody is on duty.

    `at_the_phone`: who has said that somebody is at its phone; that operator goes on with it. Else each number has the
    same operator as long as that one is on duty, whoever else comes and goes, and each has about as many.
    """
    names = sorted({shift.operator for shift in duty})
    if at_the_phone in names:
        return at_the_phone
    spoken = _base(language)
    speakers = sorted({shift.operator for shift in duty if spoken in map(_base, shift.languages.split())})
    return max(speakers or names, key=lambda name: _rank(name, ref), default=None)


def _base(language: str | None) -> str:
    return (language or "").replace("-", "_").partition("_")[0].lower()


def _rank(operator: str, ref: str) -> bytes:
    """Rendezvous hashing: https://en.wikipedia.org/wiki/Rendezvous_hashing"""
    return hashlib.sha256(f"{operator}\0{ref}".encode()).digest()
