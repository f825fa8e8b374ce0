"""The state that both APIs share: numbers, deployments, accounts, and the rule that a number is on one platform.

No HTTP here. The clock is passed in and nothing runs in the background: what became due since a number was last read
(its client's build expired, a move inside `register` ended) takes effect when it is read again, each at its own time.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any, Literal

from sandbox.calls import Call, CallLog
from sandbox.errors import unknown_object
from sandbox.switches import Switches
from sandbox.world.accounts import App, Business, Template, Token, Waba
from sandbox.world.client_states import state_of
from sandbox.world.instance import Instance
from sandbox.world.number import Side, SimNumber, View
from sandbox.world.senders import Hook
from sandbox.world.uploads import Uploads
from sandbox.world.webhook_outbox import Outbox

WorldKind = Literal["open", "closing", "after-sunset"]
WORLDS = ("open", "closing", "after-sunset")
# A number that came through Embedded Signup has to be registered within this time.
SIGNUP_DAYS = 14
# An approved display name has to be registered again within this time, or it is reviewed once more.
# https://developers.facebook.com/documentation/business-messaging/whatsapp/display-names
NAME_DAYS = 14


class World:
    def __init__(
        self,
        now: Callable[[], datetime],
        *,
        seed: int = 1,
        kind: WorldKind = "closing",
        switches: Switches | None = None,
        calls_take_time: bool = False,
    ) -> None:
        self._clock = now
        self._ahead = timedelta()
        self.seed = seed
        self.kind: WorldKind = kind
        self.switches = switches or Switches()
        self.calls_take_time = calls_take_time
        self.numbers: dict[str, SimNumber] = {}
        self.by_id: dict[str, SimNumber] = {}
        self.instances: dict[str, Instance] = {}
        self.client_urls: dict[str, str] = {}  # instance -> base URL of its own port, if it has one
        self.businesses: dict[str, Business] = {}
        self.wabas: dict[str, Waba] = {}
        self.templates: dict[str, tuple[Waba, Template]] = {}
        self.apps: dict[str, App] = {}
        self.tokens: dict[str, Token] = {}
        self.signup_codes: dict[str, Token | None] = {}  # of Embedded Signup; None: the code was used
        self.hook = Hook(secret=f"hook-{random.Random(f'{seed}:hook').getrandbits(96):024x}")
        self.sending: dict[str, None] = {}  # e164 of numbers whose client has unsent messages; used as an ordered set
        self.outbox = Outbox(self.switches, seed)
        self.uploads = Uploads(seed)
        self.log = CallLog()

    # -- time and chance

    def now(self) -> datetime:
        return self._clock() + self._ahead

    def advance(self, seconds: float) -> None:
        """Moves the clock forward."""
        self._ahead += timedelta(seconds=seconds)

    def draw(self, number: SimNumber) -> random.Random:
        """Randomness for one number; it does not depend on what happened to others."""
        number.draws += 1
        return random.Random(f"{self.seed}:{number.e164}:{number.draws}")

    # -- reading

    @property
    def calls(self) -> list[Call]:
        return self.log.since(0)

    def number(self, e164: str) -> SimNumber:
        """The number, up to date. Raises KeyError."""
        number = self.numbers["+" + e164.strip().lstrip("+")]
        self.settle(number)
        number.sender.catch_up(self.now(), number.side)
        return number

    def by_phone_id(self, phone_number_id: str) -> SimNumber:
        """The number, up to date. Raises Refusal when Graph has no such object."""
        number = self.by_id.get(phone_number_id)
        if number is None:
            raise unknown_object(phone_number_id)
        self.settle(number)
        return number

    def instance_of(self, number: SimNumber) -> Instance | None:
        """The number's client; with two clients, the one whose registration Meta honours."""
        return self.instances.get(number.live_instance or "") or self.instances.get(number.instance_id or "")

    def number_of(self, instance: Instance) -> SimNumber | None:
        number = self.numbers.get(instance.e164)
        if number is not None:
            self.settle(number)
        return number

    def connected(self, instance: Instance) -> bool:
        """Whether this deployment serves its number, from its own state and not from the number's side."""
        number = self.number_of(instance)
        return number is not None and state_of(instance, number, self.now()).serves

    # -- what follows from the facts

    def side_of(self, number: SimNumber, at: datetime) -> Side:
        if number.banned or number.deleted or number.moving_until is not None:
            return "neither"
        if number.platform == "CLOUD_API":
            return "cloud"
        live = self.instances.get(number.live_instance or "")
        return "on_premises" if live is not None and state_of(live, number, at).serves else "neither"

    def up_to_date_view(self, number: SimNumber, at: datetime) -> View:
        """What Graph shows once its reads are up to date."""
        platform = number.platform
        client = self.instance_of(number)
        gone = client is not None and (client.host == "gone" or client.expired(at))
        if platform == "ON_PREMISE" and gone:
            platform = self.switches.platform_when_expired
        return View(platform, self._status(number), number.code_status, number.pin is not None)

    def _status(self, number: SimNumber) -> str:
        if number.deleted:
            return "DELETED"
        if number.banned:
            return "BANNED"
        if number.side != "neither":
            return "CONNECTED"
        if number.onboarded_at is not None and not number.was_registered:
            return "PENDING"
        if number.platform == "ON_PREMISE" and not number.on_business_app and not number.cut_off:
            return self.switches.status_when_stopped
        return "DISCONNECTED"

    def instance_state(self, number: SimNumber, at: datetime) -> str:
        client = self.instance_of(number)
        return "none" if client is None else state_of(client, number, at).name

    def read_view(self, number: SimNumber) -> View:
        """What a read shows now; reads may lag behind writes."""
        now = self.now()
        if number.lagging_until is not None and number.lagging_view is not None and now < number.lagging_until:
            return number.lagging_view
        until = now - timedelta(seconds=self.switches.read_lag_s)
        for at, view in reversed(number.history):
            if at <= until:
                return view
        return number.history[0][1]

    # -- changing

    @contextmanager
    def changing(self, number: SimNumber, at: datetime | None = None) -> Iterator[datetime]:
        """Around every change that may move the number to another side, so that outages are counted to the second."""
        when = at or self.now()
        number.sender.catch_up(when, number.side)
        yield when
        self.refresh(number, when)

    def refresh(self, number: SimNumber, at: datetime) -> None:
        """Derives side, status and view of the number again, as of `at`."""
        number.side = self.side_of(number, at)
        number.outage.add(number.side, at)
        number.settled_until = max(number.settled_until, at)
        number.instance = self.instance_state(number, at)
        if self._has_unsent_messages(number):
            self.sending[number.e164] = None
        number.status = self._status(number)
        registered = self.wabas[number.waba_id].on_cloud
        (registered.add if number.platform == "CLOUD_API" else registered.discard)(number.phone_number_id)
        view = self.up_to_date_view(number, at)
        if not number.history or number.history[-1][1] != view:
            number.history.append((at, view))
            del number.history[:-12]

    def settle(self, number: SimNumber) -> None:
        """Applies all changes of the number that are due by now, each at its own time."""
        now = self.now()
        while (due := self._next_due(number, now)) is not None:
            at, change = due
            with self.changing(number, at):
                change(number)

    def _next_due(self, number: SimNumber, now: datetime) -> tuple[datetime, Callable[[SimNumber], None]] | None:
        due: list[tuple[datetime, Callable[[SimNumber], None]]] = []
        if number.moving_until is not None:
            due.append((number.moving_until, self._finish_move))
        client = self.instance_of(number)
        if client is not None:  # its state changes by time alone at each of these times
            times = (client.expires_at, client.starts_until, client.connects_until)
            due.extend((at, _change_nothing) for at in times if at is not None and number.settled_until < at)
        live = self.instances.get(number.live_instance or "")
        if live is not None and (waiting := live.outgoing) and number.side == "on_premises":
            sent_at = max(waiting[0].due, number.settled_until)  # the client serves since then at the latest
            due.append((sent_at, lambda _: waiting.popleft().send(sent_at)))
        if number.maintenance_until is not None:
            due.append((number.maintenance_until, _finish_throughput_upgrade))
        if number.name_approved_at is not None:
            due.append((number.name_approved_at + timedelta(days=NAME_DAYS), _expire_name))
        ends = self.signup_ends(number)
        if ends is not None and number.code_status == "VERIFIED":
            due.append((ends, _expire_verification))
        return min((change for change in due if change[0] <= now), key=itemgetter(0), default=None)

    def send_due_messages(self) -> None:
        """Sends due messages also for numbers that no call reads."""
        for e164 in tuple(self.sending):
            self.settle(self.numbers[e164])
            if not self._has_unsent_messages(self.numbers[e164]):
                del self.sending[e164]

    def _has_unsent_messages(self, number: SimNumber) -> bool:
        """Whether its client has messages that time alone will send. Once a client that is down starts, `refresh` runs.

        Without this, every number that moved to Cloud with unsent messages would be checked again for ever.
        """
        live = self.instances.get(number.live_instance or "")
        if live is None or not live.outgoing:
            return False
        times = (live.starts_until, live.connects_until)
        return number.side == "on_premises" or any(at is not None and at > self.now() for at in times)

    def signup_ends(self, number: SimNumber) -> datetime | None:
        """Until when a number from Embedded Signup can be registered; None for other numbers and registered ones.

        Whether a verification after that gives another 14 days is undocumented: switch `verify_after_signup_window`.
        """
        if number.onboarded_at is None or number.was_registered:
            return None
        window = timedelta(days=SIGNUP_DAYS)
        ends, verified = number.onboarded_at + window, number.verified_at
        renews = self.switches.verify_after_signup_window == "renews" and verified is not None and verified > ends
        return verified + window if renews and verified is not None else ends

    def _finish_move(self, number: SimNumber) -> None:
        """The move inside `register` ends: the number is on Cloud."""
        number.moving_until, number.platform, number.live_instance = None, "CLOUD_API", None
        if number.moving_profile is not None:
            number.profile, number.moving_profile = number.moving_profile, None

    # -- building

    def add(self, number: SimNumber, instance: Instance | None = None, spare: Instance | None = None) -> None:
        self.numbers[number.e164] = number
        self.by_id[number.phone_number_id] = number
        number.account = self.wabas[number.waba_id]
        number.account.phone_number_ids.append(number.phone_number_id)
        if instance is not None:
            self.instances[instance.id] = instance
            number.instance_id = instance.id
        if spare is not None:
            self.instances[spare.id] = spare
            number.spare_id = spare.id
        self.refresh(number, self.now())

    def describe(self, number: SimNumber) -> dict[str, Any]:
        """The true state of a number, for the oracle."""
        self.number(number.e164)
        return {
            "e164": number.e164,
            "phone_number_id": number.phone_number_id,
            "waba_id": number.waba_id,
            "kind": number.kind,
            "platform": number.platform,
            "side": number.side,
            "status": number.status,
            "instance": number.instance,
            **self._clients(number),
            "outage_s": number.outage_s,
            "dark_since": number.dark_since.isoformat() if number.dark_since is not None else None,
            "registers": number.registers,
            "registered": number.registered,
            "deregisters": number.deregisters,
            "wrong_pins": number.wrong_pins,
            "double_effects": number.double_effects,
            "sends_to_dead_side": number.sends_to_dead_side,
            "sends_lost": number.sender.lost,
            "sends_doubled": number.sender.doubled,
            "dropped_inbound": number.dropped_inbound,
            "sender_gap_s": number.sender_gap_s,
            "profile": dict(number.profile),
            "picture_sha256": number.picture,
        }

    def _clients(self, number: SimNumber) -> dict[str, Any]:
        """The state of each client of a number with two."""
        if number.spare_id is None:
            return {}
        both = (str(number.instance_id), number.spare_id)
        return {"clients": {name: state_of(self.instances[name], number, self.now()).name for name in both}}


def _change_nothing(_: SimNumber) -> None:
    """The state of its client changed with the time; `changing` derives the rest."""


def _finish_throughput_upgrade(number: SimNumber) -> None:
    number.maintenance_until, number.throughput = None, "HIGH"


def _expire_name(number: SimNumber) -> None:
    number.name_approved_at, number.new_name_status = None, "EXPIRED"


def _expire_verification(number: SimNumber) -> None:
    number.code_status = "EXPIRED"
