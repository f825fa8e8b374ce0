"""HTTP to one On-Premises instance: calls that carry the login's token."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from migration.clients.bodies import MOST_BYTES
from migration.clients.http import Answer, HttpClient
from migration.clients.onprem_login import OnPremLogin
from migration.clients.onprem_parsing import envelope_error, is_of_proxy
from migration.errors import OutcomeUnknown, Transient
from migration.scrubbing.texts import Fields, Scrubber, numbers_of, secrets_of
from state.enums import Party

_WRITTEN = ("about", "text", "address", "description", "email", "websites")
# Read as they are: a backup, what a customer wrote about themself, its number, and times.
FIELDS = Fields(
    whole=frozenset((*_WRITTEN, "expire_timestamp", "debug_info", "value")),
    secret=frozenset(("data",)),
)


@dataclass(frozen=True, slots=True)
class AcceptedResponse:
    """A response without an error. The body may be anything with a success: `null`, `{}`, or `meta` alone."""

    status_code: int
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Call:
    method: str
    path: str
    body: dict[str, Any] | None
    send_by: float | None
    by: float
    most: int

    @property
    def is_write(self) -> bool:
        return self.send_by is not None


class OnPremHttp:
    def __init__(self, client: HttpClient, base_url: str, login: OnPremLogin, instance: str) -> None:
        self._client = client
        self._base = base_url.rstrip("/")
        self._login = login
        self._instance = instance

    def within(self, seconds: float) -> float:
        """The deadline of a call that begins now, on the boot-time clock."""
        return self._client.within(seconds)

    async def get(self, path: str, *, by: float) -> dict[str, Any]:
        """`by`: the deadline of everything that the call does."""
        with _of_partner():
            response = await self._call(_Call("GET", path, None, None, by, MOST_BYTES))
        return response.body

    async def get_any(self, path: str, *, by: float) -> dict[str, Any] | bytes:
        """As `get`; a body that is neither JSON nor a page comes as it is."""
        call = _Call("GET", path, None, None, by, MOST_BYTES)
        with _of_partner():
            answer = await self._answer(call)
            if answer.content and answer.is_success and not answer.is_page:
                return answer.content
            return self._accepted(call, answer).body

    async def get_bytes(self, path: str, *, by: float, most: int) -> bytes:
        """A body that is no JSON, such as a picture; empty where there is none. Raises as `get` does."""
        call = _Call("GET", path, None, None, by, most)
        with _of_partner():
            answer = await self._answer(call)
            if answer.content and answer.is_success and not answer.is_page:
                return answer.content
            self._accepted(call, answer)
        return b""

    async def post(
        self, path: str, body: dict[str, Any], *, send_by: float | None, by: float, most: int = MOST_BYTES
    ) -> AcceptedResponse:
        """`send_by` is None for a call that changes nothing; then a lost response is Transient, not OutcomeUnknown.

        `by`: the deadline of everything that the call does; `most`: bytes of the response's body.
        """
        with _of_partner():
            return await self._call(_Call("POST", path, body, send_by, by, most))

    async def _call(self, call: _Call) -> AcceptedResponse:
        """Repeats the call once with a new token after a 401: a call that gets a 401 has had no effect."""
        return self._accepted(call, await self._answer(call))

    async def _answer(self, call: _Call) -> Answer:
        token = await self._login.token(call.by)
        response = await self._send(call, token)
        if response.status_code == 401:
            response = await self._send(call, await self._login.renew(token, call.by))
            if response.status_code == 401 and not is_of_proxy(response):
                raise self._login.token_refused(self._name_of(call))
        return response

    def _scrubber(self, call: _Call) -> Scrubber:
        sent = call.body or {}
        return Scrubber([*self._login.secrets(), *secrets_of(sent)], numbers=numbers_of(sent))

    async def _send(self, call: _Call, token: SecretStr) -> Answer:
        return await self._client.send(
            call.method,
            self._base + call.path,
            call=self._name_of(call),
            by=call.by,
            write=call.is_write,
            json_body=call.body,
            headers={"Authorization": f"Bearer {token.get_secret_value()}"},
            send_by=call.send_by,
            most=call.most,
        )

    def _accepted(self, call: _Call, answer: Answer) -> AcceptedResponse:
        body = answer.read(self._scrubber(call), FIELDS)
        error = envelope_error(self._name_of(call), answer, body, self._client.clock.now(), write=call.is_write)
        if error is not None:
            raise error
        if answer.unreadable is not None:
            # Another server's page, such as a proxy's login form: it shows nothing about the call.
            message = f"{self._name_of(call)}: HTTP {answer.status_code}, {answer.unreadable}"
            raise OutcomeUnknown(message) if call.is_write else Transient(message, True)
        return AcceptedResponse(answer.status_code, body if isinstance(body, dict) else {})

    def _name_of(self, call: _Call) -> str:
        return f"{self._instance}: {call.method} {call.path}"


@contextmanager
def _of_partner() -> Iterator[None]:
    """The client is the partner's own: nothing that Meta does brings it back."""
    try:
        yield
    except Transient as exc:
        exc.whose_move = Party.OPERATOR
        raise
