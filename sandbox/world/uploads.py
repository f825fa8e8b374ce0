"""Pictures on their way to a profile: the Resumable Upload API, which gives a handle for a file.

https://developers.facebook.com/docs/graph-api/guides/upload
"""

import hashlib
from dataclasses import dataclass, field

TYPES = frozenset({"application/pdf", "image/jpeg", "image/jpg", "image/png", "video/mp4"})
MOST_BYTES = 5 * 1024 * 1024


@dataclass(slots=True)
class Session:
    """A file under way; `handle` once it is whole. Its bytes are not kept, only how many came."""

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
        made = Session(f"upload:{name}", app_id, length, kind)
        self.sessions[made.id] = made
        return made

    def add(self, session: Session, size: int) -> str | None:
        """So many bytes more; the handle where the file is whole now."""
        session.offset += size
        if session.offset < session.length:
            return None
        session.handle = f"4::{self._opaque('handle', len(self.handles))}"
        self.handles[session.handle] = session
        return session.handle

    def _opaque(self, what: str, number: int) -> str:
        return hashlib.sha256(f"{self.seed}:{what}:{number}".encode()).hexdigest()
