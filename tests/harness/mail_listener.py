"""A real SMTP server on loopback, in a thread of its own: it takes every mail and keeps it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import Message
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread


@dataclass
class MailListener:
    """`busy`: it refuses every mail for the time being."""

    port: int = 0
    mails: list[Message] = field(default_factory=list)
    busy: bool = False

    @property
    def url(self) -> str:
        """As it stands in the admin file."""
        return f"mailto://127.0.0.1:{self.port}/?from=cutover@example.com&to=duty@example.com"

    @property
    def titles(self) -> list[str]:
        return [str(make_header(decode_header(mail["Subject"]))) for mail in self.mails]

    @property
    def text(self) -> str:
        """All that was in all mails."""
        parts = [part for mail in self.mails for part in mail.walk() if not part.is_multipart()]
        bodies = [bytes(part.get_payload(decode=True) or b"").decode() for part in parts]
        return "\n".join([*self.titles, *bodies, *(str(mail.items()) for mail in self.mails)])


@contextmanager
def taking_mail() -> Iterator[MailListener]:
    listener = MailListener()

    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            self._say("220 here")
            for raw in self.rfile:
                word = raw.split()[0].upper() if raw.split() else b""
                if word == b"QUIT":
                    self._say("221 bye")
                    return
                if word == b"MAIL" and listener.busy:
                    self._say("451 try later")
                elif word == b"DATA":
                    self._say("354 go on")
                    self._take()
                else:
                    self._say("250 ok")

        def _take(self) -> None:
            lines = []
            for raw in self.rfile:
                if raw == b".\r\n":
                    break
                lines.append(raw.removeprefix(b"."))
            listener.mails.append(message_from_bytes(b"".join(lines)))
            self._say("250 taken")

        def _say(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

    class Server(ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        listener.port = server.server_address[1]
        thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield listener
        finally:
            server.shutdown()
            thread.join()
