"""On-Premises backups: opaque, different each time, opened only with their password.

The scheme is ours (a keyed stream and a MAC). It protects nothing; it only behaves like an encrypted blob.
https://developers.facebook.com/docs/whatsapp/on-premises/reference/settings/backup-and-restore
"""

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

MAGIC = b"WABK"  # all samples of real backups begin alike
SALT, MAC, SUM = 16, 32, 8


class CannotOpen(Exception):
    """The backup is garbled or incomplete."""


class WrongPassword(CannotOpen):
    """The backup is complete, but was made with another password."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a backup holds: registration and settings, no messages and no callbacks."""

    e164: str
    instance: str
    taken_at: datetime
    shards: int
    profile: dict[str, Any]
    settings: dict[str, Any]


def seal(contents: Contents, password: str, salt: bytes) -> str:
    body = json.dumps(
        {
            "e164": contents.e164,
            "instance": contents.instance,
            "taken_at": contents.taken_at.isoformat(),
            "shards": contents.shards,
            "profile": contents.profile,
            "settings": contents.settings,
        }
    ).encode()
    key = _key(password, salt)
    cipher = _stream(key, body)
    blob = MAGIC + salt + hmac.digest(key, cipher, "sha256") + cipher
    return base64.b64encode(blob + _sum(blob)).decode()


def open_(data: str, password: str) -> Contents:
    """Raises CannotOpen; WrongPassword when only the password is wrong."""
    try:
        blob = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise CannotOpen from None
    blob, checksum = blob[:-SUM], blob[-SUM:]
    if not blob.startswith(MAGIC) or _sum(blob) != checksum:
        raise CannotOpen
    salt, mac, cipher = blob[4 : 4 + SALT], blob[4 + SALT : 4 + SALT + MAC], blob[4 + SALT + MAC :]
    key = _key(password, salt)
    if not hmac.compare_digest(mac, hmac.digest(key, cipher, "sha256")):
        raise WrongPassword
    body = json.loads(_stream(key, cipher))
    return Contents(
        body["e164"],
        body["instance"],
        datetime.fromisoformat(body["taken_at"]),
        body["shards"],
        body["profile"],
        body["settings"],
    )


def _sum(blob: bytes) -> bytes:
    return hashlib.sha256(blob).digest()[:SUM]


def _key(password: str, salt: bytes) -> bytes:
    return hashlib.sha256(salt + password.encode("utf-8", "surrogatepass")).digest()


def _stream(key: bytes, data: bytes) -> bytes:
    pad = hashlib.shake_256(key).digest(len(data))
    return bytes(a ^ b for a, b in zip(data, pad, strict=True))
