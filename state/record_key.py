"""The key under which the record is written, handed to whoever writes with the engine that it writes through.

Without a key (no process with the master key has opened the database yet) hashes are plain SHA-256. The first opening
with a key takes such a chain over: `state.ledger.anchoring`.
"""

import hashlib
import hmac
import json
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

GENESIS = "0" * 64
_OPTION = "cutover_record_key"


class RecordKey:
    """32 bytes. `repr` does not show them."""

    __slots__ = ("_raw",)

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    def __repr__(self) -> str:
        return "RecordKey(•••)"

    def hash(self, *parts: Any) -> str:
        """HMAC-SHA256 in hexadecimal over the parts as JSON."""
        return hmac.digest(self._raw, _canonical(parts), "sha256").hex()

    def reference(self, text: str) -> str:
        """What stands for a phone number or a name of a customer: the same for the same text, and no way back."""
        return "ref:" + self.hash("reference", text)[:16]

    def name(self) -> str:
        """16 hexadecimal digits that name the key and do not reveal it."""
        return self.hash("name of the record's key")[:16]


def plain_hash(*parts: Any) -> str:
    """SHA-256 in hexadecimal: what stands where no key is given."""
    return hashlib.sha256(_canonical(parts)).hexdigest()


def hash_under(key: RecordKey | None, *parts: Any) -> str:
    return plain_hash(*parts) if key is None else key.hash(*parts)


def _canonical(parts: Any) -> bytes:
    return json.dumps(list(parts), sort_keys=True, separators=(",", ":")).encode()


def with_record_key(engine: AsyncEngine, key: RecordKey | None) -> AsyncEngine:
    """The same connections; what is written to the record through them is under this key."""
    return engine if key is None else engine.execution_options(**{_OPTION: key})


def record_key_of(holder: AsyncConnection | AsyncEngine) -> RecordKey | None:
    engine = holder if isinstance(holder, AsyncEngine) else holder.engine
    found = engine.sync_engine.get_execution_options().get(_OPTION)
    return found if isinstance(found, RecordKey) else None
