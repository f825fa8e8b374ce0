"""Uploads of pictures for a profile: the Resumable Upload API, which returns a handle for a file.

https://developers.facebook.com/docs/graph-api/guides/upload
"""

import hashlib
from dataclasses import dataclass, field

TYPES = frozenset({"application/pdf", "image/jpeg", "image/jpg", "image/png", "video/mp4"})
MOST_BYTES = 5 * 1024 * 1024


@dataclass(slots=True)
class Session:
    """One upload; `handle` once the file is complete. Only the number of its bytes is kept."""

    id: str
    app_id: str
    length: int
    kind: str
    offset: int = 0
    handle: str | None = None


@dataclass(slots=True)
class Uploads:
    seed: int
    sessions: dict[str, Session] = field(default_factory=dict)
    handles: dict[str, Session] = field(default_factory=dict)

    def begin(self, app_id: str, length: int, kind: str) -> Session:
        name = self._opaque("session", len(self.sessions))
        session = Session(f"upload:{name}", app_id, length, kind)
        self.sessions[session.id] = session
        return session

    def add(self, session: Session, size: int) -> str | None:
        """Adds `size` bytes; returns the handle once the file is complete."""
        session.offset += size
        if session.offset < session.length:
            return None
        session.handle = f"4::{self._opaque('handle', len(self.handles))}"
        self.handles[session.handle] = session
        return session.handle

    def _opaque(self, kind: str, number: int) -> str:
        return hashlib.sha256(f"{self.seed}:{kind}:{number}".encode()).hexdigest()
