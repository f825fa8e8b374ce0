"""What gives a secret away without being known: keys of parameters, schemes of authorization, long random words."""

import re

from migration.scrubbing.masking import SIGN

# An address keeps its host and its path; a user, a password and parameters are never shown.
_ADDRESS = re.compile(
    r"([a-z][a-z0-9+.-]{1,30}://)(?:[^\s/?#@]{0,500}@)?([^\s?#\"'<>]{0,500})([?#][^\s\"'<>]*)?", re.IGNORECASE
)
_SCHEME = re.compile(r"\b(bearer|basic|oauth|digest|sha256)([\s:=]{1,3})(?=\S{0,60}\d|\S{16})\S+", re.IGNORECASE)
_KEY = re.compile(
    r"(pin|passw(?:or)?d|passphrase|pwd|secret|token|proof|signature|api_?key|authorization|cookie)"
    r"([\"']?\s?[:=]\s?[\"']?)(?=[^\s\"'&,;}]{0,60}\d|[^\s\"'&,;}]{12})[^\s\"'&,;}]+",
    re.IGNORECASE,
)
_META_TOKEN = re.compile(r"EAA[A-Za-z0-9]{4,}")
_LONG_WORD = re.compile(r"[A-Za-z0-9+/_=-]{16,}")
_SIGNS = re.compile(r"[+/_=-]")


def without_likely_secrets(text: str) -> str:
    text = _ADDRESS.sub(_bare_address, text)
    text = _SCHEME.sub(rf"\1\2{SIGN}", text)
    text = _KEY.sub(rf"\1\2{SIGN}", text)
    return _LONG_WORD.sub(_unless_random, _META_TOKEN.sub(SIGN, text))


def _bare_address(match: re.Match[str]) -> str:
    scheme, place, rest = match.groups()
    return f"{scheme}{place}{rest[0] + SIGN if rest else ''}"


def _unless_random(match: re.Match[str]) -> str:
    """Letters and digits mixed, from 16 on without a sign between them; as in base64, from 24 on, in both cases."""
    word = match.group()
    has_digit, has_lower, has_upper = (any(map(test, word)) for test in (str.isdigit, str.islower, str.isupper))
    if len(word) >= 24 and has_digit and has_lower and has_upper:
        return SIGN
    parts = _SIGNS.split(word)
    is_random = any(len(part) >= 16 and not part.isdigit() and not part.isalpha() for part in parts)
    return SIGN if is_random else word
