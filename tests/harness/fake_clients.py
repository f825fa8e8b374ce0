"""Fakes of everything that a step calls: plain classes with scripted answers, which record their calls.

A script is a list of answers and exceptions, in order, of which the last repeats. Nothing here opens a connection,
reads a clock or starts a process.
"""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from pydantic import SecretStr

from migration.clients.client_record import ClientRecord
from migration.clients.commands import LONGEST_S, CommandResult
from migration.clients.graph_details import NumberDetails
from migration.clients.graph_models import (
    Backup,
    CloudNumber,
    Health,
    Profile,
    StorageSettings,
    SubscribedApp,
    TokenFacts,
)
from migration.clients.onprem_parsing import CallbackQueue
from migration.clients.onprem_reading import OnPremReading
from migration.clients.profile_picture import Picture
from migration.clients.traffic_hooks import HookAnswer
from migration.scrubbing.texts import SafeText

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Call:
    """One call that reached a fake, with its arguments by name."""

    name: str
    arguments: Mapping[str, Any]


class Script:
    """The answers of one fake, and the calls that it got.

    `answers`: by call name, one answer or a list of them; an exception among them is raised, a function is called.
    `listeners` are called with `owner.call` before each answer; a listener may raise.
    """

    def __init__(self, owner: str, answers: Mapping[str, Any]) -> None:
        self._owner = owner
        self._answers = {
            name: list(script) if isinstance(script, list) else [script] for name, script in answers.items()
        }
        self.calls: list[Call] = []
        self.listeners: list[Callable[[str], None]] = []

    def answer(self, kind: type[T], name: str, /, **arguments: Any) -> T:
        """The next answer to a call that has to be scripted."""
        value = self._next(name, arguments)
        assert isinstance(value, kind), f"{self._owner}.{name} is scripted to answer {value!r}"
        return value

    def answer_or(self, otherwise: T, kind: type[T], name: str, /, **arguments: Any) -> T:
        """As `answer`, for a call that most tests say nothing about."""
        self._answers.setdefault(name, [otherwise])
        return self.answer(kind, name, **arguments)

    def accept(self, name: str, /, **arguments: Any) -> None:
        """A write. It succeeds where nothing else is scripted."""
        self._answers.setdefault(name, [None])
        self._next(name, arguments)

    def answers_with(self, name: str, function: Callable[[], object]) -> None:
        """From now on this call is answered with what the function returns."""
        self._answers[name] = [function]

    def _next(self, name: str, arguments: Mapping[str, Any]) -> object:
        self.calls.append(Call(name, arguments))
        for listener in self.listeners:
            listener(f"{self._owner}.{name}")
        assert name in self._answers, f"{self._owner}.{name} was called, and this test has no answer for it"
        answers = self._answers[name]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        answer = answer() if callable(answer) else answer
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def names(self) -> list[str]:
        return [call.name for call in self.calls]

    def arguments(self, name: str) -> list[Mapping[str, Any]]:
        """The arguments of each call of this name, in order."""
        return [call.arguments for call in self.calls if call.name == name]


class FakeGraph:
    """The calls of `GraphApi` that steps make."""

    def __init__(self, **answers: Any) -> None:
        self.script = Script("graph", answers)

    async def number(self, phone_number_id: str) -> CloudNumber:
        return self.script.answer(CloudNumber, "number", phone_number_id=phone_number_id)

    def connect_ahead(self) -> None: ...

    def secret_for(self, purpose: str) -> bytes:
        return hmac.digest(b"app secret", purpose.encode(), "sha256")

    async def certificate(self, phone_number_id: str) -> str:
        return self.script.answer(str, "certificate", phone_number_id=phone_number_id)

    async def subscribed_apps(self, waba_id: str) -> tuple[SubscribedApp, ...]:
        return self.script.answer(tuple, "subscribed_apps", waba_id=waba_id)

    async def settings(self, phone_number_id: str) -> StorageSettings:
        return self.script.answer(StorageSettings, "settings", phone_number_id=phone_number_id)

    async def profile(self, phone_number_id: str) -> Profile:
        return self.script.answer(Profile, "profile", phone_number_id=phone_number_id)

    async def details_of_all(self, waba_id: str) -> tuple[NumberDetails, ...]:
        return self.script.answer_or((), tuple, "details_of_all", waba_id=waba_id)

    async def approved_templates(self, waba_id: str) -> int | None:
        return self.script.answer_or(3, int, "approved_templates", waba_id=waba_id)

    async def upload_picture(self, app_id: str, picture: Picture, *, send_by: float) -> str:
        return self.script.answer(str, "upload_picture", app_id=app_id, picture=picture, send_by=send_by)

    async def health(self, phone_number_id: str) -> Health:
        return self.script.answer(Health, "health", phone_number_id=phone_number_id)

    async def register(self, phone_number_id: str, pin: SecretStr, backup: Backup | None, *, send_by: float) -> None:
        self.script.accept("register", phone_number_id=phone_number_id, pin=pin, backup=backup, send_by=send_by)

    async def deregister(self, phone_number_id: str, *, send_by: float) -> None:
        self.script.accept("deregister", phone_number_id=phone_number_id, send_by=send_by)

    async def request_code(self, phone_number_id: str, method: str, language: str, *, send_by: float) -> None:
        self.script.accept(
            "request_code", phone_number_id=phone_number_id, method=method, language=language, send_by=send_by
        )

    async def verify_code(self, phone_number_id: str, code: SecretStr, *, send_by: float) -> None:
        self.script.accept("verify_code", phone_number_id=phone_number_id, code=code, send_by=send_by)

    async def set_pin(self, phone_number_id: str, pin: SecretStr, *, send_by: float) -> None:
        self.script.accept("set_pin", phone_number_id=phone_number_id, pin=pin, send_by=send_by)

    async def subscribe(self, waba_id: str, *, send_by: float) -> None:
        self.script.accept("subscribe", waba_id=waba_id, send_by=send_by)

    async def set_storage(self, phone_number_id: str, region: str, *, send_by: float) -> None:
        self.script.accept("set_storage", phone_number_id=phone_number_id, region=region, send_by=send_by)

    async def send_template(
        self, phone_number_id: str, to: str, template: str, language: str, correlation: str, *, send_by: float
    ) -> str:
        return self.script.answer(
            str,
            "send_template",
            phone_number_id=phone_number_id,
            to=to,
            template=template,
            language=language,
            correlation=correlation,
            send_by=send_by,
        )

    async def send_text(self, phone_number_id: str, to: str, text: str, correlation: str, *, send_by: float) -> str:
        values = {"to": to, "text": text, "correlation": correlation, "send_by": send_by}
        return self.script.answer(str, "send_text", phone_number_id=phone_number_id, **values)

    async def debug_token(self) -> TokenFacts:
        return self.script.answer(TokenFacts, "debug_token")

    async def set_profile(self, phone_number_id: str, changes: Mapping[str, Any], *, send_by: float) -> None:
        self.script.accept("set_profile", phone_number_id=phone_number_id, changes=changes, send_by=send_by)


class FakeOnPrem:
    """The calls of `OnPremApi` that steps make."""

    def __init__(self, **answers: Any) -> None:
        self.script = Script("onprem", answers)

    async def reading(self) -> OnPremReading:
        return self.script.answer(OnPremReading, "reading")

    async def login(self) -> None:
        self.script.accept("login")

    async def profile(self) -> Profile:
        return self.script.answer(Profile, "profile")

    async def record(self) -> ClientRecord:
        return self.script.answer_or(ClientRecord(), ClientRecord, "record")

    async def callback_queue(self) -> CallbackQueue:
        """Scripted as the queue, or as its size alone."""
        size = self.script.answer(object, "callback_queue")
        assert size is None or isinstance(size, int | CallbackQueue)
        return size if isinstance(size, CallbackQueue) else CallbackQueue(size)

    async def set_two_step(self, pin: SecretStr, *, send_by: float) -> None:
        self.script.accept("set_two_step", pin=pin, send_by=send_by)

    async def backup(self, password: SecretStr) -> SecretStr:
        return self.script.answer(SecretStr, "backup", password=password)

    async def restore(self, data: SecretStr, password: SecretStr, *, send_by: float) -> None:
        self.script.accept("restore", data=data, password=password, send_by=send_by)

    async def request_code(
        self,
        country_code: str,
        national_number: str,
        method: str,
        certificate: str,
        pin: SecretStr | None,
        *,
        send_by: float,
    ) -> bool:
        return self.script.answer(
            bool,
            "request_code",
            country_code=country_code,
            national_number=national_number,
            method=method,
            certificate=certificate,
            pin=pin,
            send_by=send_by,
        )

    async def verify_code(self, code: SecretStr, *, send_by: float) -> None:
        self.script.accept("verify_code", code=code, send_by=send_by)


class FakeHooks:
    """The calls of `TrafficHooks`."""

    def __init__(self, **answers: Any) -> None:
        self.script = Script("hooks", answers)

    async def announce(self, body: Mapping[str, Any], key: str, *, send_by: float) -> HookAnswer:
        answer: HookAnswer = cast(
            HookAnswer, self.script.answer(object, "announce", body=body, key=key, send_by=send_by)
        )
        return answer

    async def ask(self, ask_url: str, key: str, _body: Mapping[str, Any]) -> HookAnswer:
        answer: HookAnswer = cast(HookAnswer, self.script.answer(object, "ask", ask_url=ask_url, key=key))
        return answer


class FakeCommands:
    """The calls of `NamedCommands`. It succeeds where nothing else is scripted."""

    def __init__(self, **answers: Any) -> None:
        self.script = Script("commands", {"run": CommandResult(True, SafeText(""))} | answers)

    def limit_s(self, name: str) -> float:
        return 30.0

    async def run(
        self, name: str, arguments: Mapping[str, str], *, send_by: float, at_most_s: float = LONGEST_S
    ) -> CommandResult:
        return self.script.answer(CommandResult, "run", name=name, arguments=arguments, send_by=send_by)


class FakeSecrets:
    """The sealed secrets of one number, in clear."""

    def __init__(self, *, code: str | None = None, **secrets: str) -> None:
        self.script = Script("secrets", {})
        self._code = code
        self._secrets = secrets

    async def open(self, name: str) -> SecretStr | None:
        self.script.accept("open", name=name)
        value = self._secrets.get(name)
        return SecretStr(value) if value is not None else None

    async def open_code(self) -> SecretStr | None:
        self.script.accept("open_code")
        return SecretStr(self._code) if self._code is not None else None
