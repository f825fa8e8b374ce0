"""The ways in which an answer may write a secret or a phone number that it quotes."""

import base64
import gzip
import html
import json
import zlib
from collections.abc import Callable, Mapping
from urllib.parse import quote, quote_plus

ARABIC = {ord("0") + digit: 0x660 + digit for digit in range(10)}
FULL_WIDTH = {ord("0") + digit: 0xFF10 + digit for digit in range(10)}


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _url_safe(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


def _hex(text: str, separator: str = "") -> str:
    return separator.join(f"{byte:02x}" for byte in text.encode())


def _in_layers(text: str, layers: int) -> str:
    text = "".join(f"%{byte:02X}" for byte in text.encode())
    for _ in range(layers - 1):
        text = quote(text, safe="")
    return text


SPELLINGS: Mapping[str, Callable[[str], str]] = {
    "clear": str,
    "bearer": lambda secret: f"Bearer {secret}",
    "basic": lambda secret: "Basic " + _b64(f"admin:{secret}"),
    "quoted as JSON": json.dumps,
    "with slashes as JSON may write them": lambda secret: json.dumps(secret).replace("/", "\\/"),
    "\\u00xx": lambda secret: "".join(f"\\u{ord(char):04x}" for char in secret),
    "\\u00XX": lambda secret: "".join(f"\\u{ord(char):04X}" for char in secret),
    "\\xNN": lambda secret: "".join(f"\\x{ord(char):02x}" for char in secret),
    "in a URL": lambda secret: quote(secret, safe=""),
    "in a form": quote_plus,
    "%xx": lambda secret: "".join(f"%{ord(char):02x}" for char in secret),
    "%XX": lambda secret: "".join(f"%{ord(char):02X}" for char in secret),
    "%25XX": lambda secret: quote("".join(f"%{ord(char):02X}" for char in secret), safe=""),
    "in HTML": html.escape,
    "&#NN;": lambda secret: "".join(f"&#{ord(char)};" for char in secret),
    "&#xNN;": lambda secret: "".join(f"&#x{ord(char):x};" for char in secret),
    "&amp;#NN;": lambda secret: html.escape("".join(f"&#{ord(char)};" for char in secret)),
    "&#xNN with noughts": lambda secret: "".join(f"&#x0000{ord(char):X};" for char in secret),
    "\\x{NN}": lambda secret: "".join(f"\\x{{{ord(char):x}}}" for char in secret),
    "\\U0000NNNN": lambda secret: "".join(f"\\U{ord(char):08x}" for char in secret),
    "%u00NN": lambda secret: "".join(f"%u{ord(char):04x}" for char in secret),
    "quoted-printable": lambda secret: "".join(f"={ord(char):02X}" for char in secret),
    "a list of bytes": lambda secret: str(list(secret.encode())),
    "bytes with spaces": lambda secret: " ".join(map(str, secret.encode())),
    "base32": lambda secret: base64.b32encode(secret.encode()).decode(),
    "base32 in small letters without padding": lambda secret: (
        base64.b32encode(secret.encode()).decode().rstrip("=").lower()
    ),
    "base64 of UTF-16": lambda secret: base64.b64encode(secret.encode("utf-16-le")).decode(),
    "hex of UTF-16": lambda secret: secret.encode("utf-16-be").hex(),
    "in two layers of JSON": lambda secret: json.dumps(json.dumps("".join(f"\\u{ord(char):04x}" for char in secret))),
    "base64": _b64,
    "base64 without padding": lambda secret: _b64(secret).rstrip("="),
    "base64 at the second place": lambda secret: _b64(f"a{secret}zz"),
    "base64 at the third place": lambda secret: _b64(f"ab{secret}zz"),
    "base64 at the first place again": lambda secret: _b64(f"abc{secret}zz"),
    "base64url": _url_safe,
    "base64url at the second place": lambda secret: _url_safe(f"?{secret}?"),
    "base64url at the third place": lambda secret: _url_safe(f"?>{secret}?"),
    "base64 of base64": lambda secret: _b64(_b64(secret)),
    "base64 of a URL": lambda secret: _b64(quote(secret, safe="")),
    "base64 in a URL": lambda secret: quote(_b64(secret), safe=""),
    "hex": _hex,
    "HEX": lambda secret: _hex(secret).upper(),
    "hex with spaces": lambda secret: _hex(secret, " "),
    "hex with colons": lambda secret: _hex(secret, ":").upper(),
    "split by a dash": lambda secret: f"{secret[:3]}-{secret[3:]}",
    "split by a space": lambda secret: f"{secret[:3]} {secret[3:]}",
    "spaced out": " ".join,
    "split by a line break": lambda secret: f"{secret[:3]}\n{secret[3:]}",
    "split by a colour": lambda secret: f"{secret[:3]}\x1b[31m{secret[3:]}",
    "with zero-width spaces": "\u200b".join,
    "with nulls": "\x00".join,
    "from right to left": lambda secret: f"\u202e{secret}\u202c",
    "with Arabic digits": lambda secret: secret.translate(ARABIC),
    "with full-width digits": lambda secret: secret.translate(FULL_WIDTH),
    "with its case turned": str.swapcase,
    "%2525...XX, in eight layers": lambda secret: _in_layers(secret, 8),
    "quoted-printable in small letters": lambda secret: "".join(f"={ord(char):02x}" for char in secret),
    "0xNN, 0xNN": lambda secret: ", ".join(f"0x{byte:02x}" for byte in secret.encode()),
    "bits": lambda secret: " ".join(f"{byte:08b}" for byte in secret.encode()),
    "U+NNNN": lambda secret: " ".join(f"U+{ord(char):04X}" for char in secret),
    "spread as JavaScript does": lambda secret: json.dumps({str(at): char for at, char in enumerate(secret)}),
    "spread as forms do": lambda secret: "&".join(f"pin[{at}]={char}" for at, char in enumerate(secret)),
    "a list of characters": lambda secret: json.dumps(list(secret)),
    "with markup between its letters": lambda secret: "".join(f"<b>{html.escape(char)}</b>" for char in secret),
    "with accents": lambda secret: "".join(f"{char}\u0301" for char in secret),
    "base64 of gzip": lambda secret: base64.b64encode(gzip.compress(secret.encode(), mtime=0)).decode(),
    "base64 of zlib": lambda secret: base64.b64encode(zlib.compress(f"pin={secret}".encode())).decode(),
    "hex of zlib": lambda secret: zlib.compress(secret.encode()).hex(),
}

# Of a long secret, where an answer is cut in the middle of it.
PARTS: Mapping[str, Callable[[str], str]] = {
    "its beginning": lambda secret: secret[:9],
    "its middle": lambda secret: secret[5:15],
    "its end": lambda secret: secret[-9:],
    "its beginning in base64": lambda secret: _b64(secret[:12]),
    "its beginning in hex": lambda secret: _hex(secret[:12]),
}


def ways_to_write(number: str) -> Mapping[str, str]:
    """A phone number as people, programs and links write it. `number` is +34657786453 or as long."""
    digits = number.lstrip("+")
    country, national = digits[:2], digits[2:]
    return {
        "dialled": number,
        "digits": digits,
        "with spaces": f"+{country} {national[:3]} {national[3:6]} {national[6:]}",
        "in odd groups": f"{digits[0]} {digits[1:4]} {digits[4:7]}-{digits[7:]}",
        "with dots": f"{country}.{national[:3]}.{national[3:6]}.{national[6:]}",
        "with brackets": f"+{country} ({national[:3]}) {national[3:]}",
        "with a nought": f"+{country} (0){national[:3]} {national[3:]}",
        "after 00": f"00{country}-{national[:3]}/{national[3:]}",
        "with no-break spaces": f"+{country}\u00a0{national[:3]}\u00a0{national[3:]}",
        "with narrow spaces": f"+{country}\u202f{national[:3]}\u202f{national[3:]}",
        "with no-break hyphens": f"{country}\u2011{national[:3]}\u2011{national[3:]}",
        "with en dashes": f"{country}\u2013{national[:3]} \u2013 {national[3:]}",
        "with zero-width spaces": "\u200b".join(digits),
        "with full-width digits": digits.translate(FULL_WIDTH),
        "with Arabic digits": digits.translate(ARABIC),
        "with keycaps": "".join(f"{digit}\ufe0f\u20e3" for digit in digits),
        "a link": f"https://wa.me/{digits}?text=hello",
        "a link without a scheme": f"wa.me/{digits}",
        "a chat": f"{digits}@s.whatsapp.net",
        "whatsapp:": f"whatsapp:{number}",
        "tel:": f"tel:{number};ext=1",
        "a plus in a URL": f"to=%2B{digits}",
        "a plus in a URL, twice": f"to=%252b{digits}",
        "&#43;": f"&#43;{digits}",
        "\\u002b": f"\\u002b{digits}",
        "a container": f"wa-{digits}-1",
        "a file": f"/var/lib/wa_{digits}/media",
        "letters around it": f"x{digits}y",
        "a date beside it": f"2026-11-26 {number}",
        "national": national,
        "national with spaces": f"{national[:3]} {national[3:5]} {national[5:7]} {national[7:]}",
        "two numbers": f"{number} {number}",
        "in base64": _b64(f"to {digits}"),
    }
