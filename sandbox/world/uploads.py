"""Uploads of pictures for a profile: the Resumable Upload API, which returns a handle for a file.

https://developers.facebook.com/docs/graph-api/guides/upload
"""

import hashlib
from dataclasses import dataclass, field

TYPES = frozenset({"application/pdf", "image/jpeg", "image/jpg", "image/png", "video/mp4"})
MOST_BYTES = 5 * 1024 * 1024


@dataclass(slots=True)
class Session:
    """One upload; `handle` and `sha256` once the file is complete. Its bytes are kept until then.

    `id` has a signature, as Meta's have: `upload:...?sig=...`.
    """

    id: str
    app_id: str
    length: int
    kind: str
    offset: int = 0
    handle: str | None = None
    received: bytearray = field(default_factory=bytearray)
    sha256: str = ""


@dataclass(slots=True)
class Uploads:
    seed: int
    sessions: dict[str, Session] = field(default_factory=dict)
    handles: dict[str, Session] = field(default_factory=dict)

    def begin(self, app_id: str, length: int, kind: str) -> Session:
        name = self._opaque("session", len(self.sessions))
        signature = self._opaque("signature", len(self.sessions))[:16]
        session = Session(f"upload:{name}?sig={signature}", app_id, length, kind)
        self.sessions[f"upload:{name}"] = session
        return session

    def add(self, session: Session, content: bytes) -> str | None:
        """Adds bytes; returns the handle once the file is complete."""
        session.offset += len(content)
        session.received += content
        if session.offset < session.length:
            return None
        session.handle = f"4::{self._opaque('handle', len(self.handles))}"
        session.sha256 = hashlib.sha256(session.received).hexdigest()
        session.received.clear()
        self.handles[session.handle] = session
        return session.handle

    def _opaque(self, kind: str, number: int) -> str:
        return hashlib.sha256(f"{self.seed}:{kind}:{number}".encode()).hexdigest()
