"""Makes a fleet from a seed: numbers, deployments, accounts. The same seed makes the same fleet."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta

from sandbox.scenarios.businesses import BusinessSpec
from sandbox.scenarios.fleet_clients import make_client, make_spare_client
from sandbox.scenarios.kinds import BadSpec, NumberSpec
from sandbox.world import health
from sandbox.world.accounts import App, Business, Template, Token, Waba
from sandbox.world.credentials import another_app, tokens_of
from sandbox.world.instance import Instance
from sandbox.world.number import LOCKED, SimNumber
from sandbox.world.senders import Sender
from sandbox.world.world import World

# One of this many numbers has an id of 15 digits.
SHORT_ID = 5
# (country and network, digits that follow): mobile numbers of the length that is used in the country.
RANGES = (
    ("5511", "9########"),
    ("49151", "########"),
    ("447700", "######"),
    ("9198", "########"),
    ("5255", "########"),
    ("346", "########"),
    ("659", "#######"),
    ("336", "########"),
)
NAMES = (
    "Alder",
    "Birch",
    "Cedar",
    "Dogwood",
    "Elm",
    "Fir",
    "Hazel",
    "Juniper",
    "Larch",
    "Maple",
    "Oak",
    "Pine",
)
TRADES = (
    "Bakery",
    "Books",
    "Clinic",
    "Courier",
    "Florist",
    "Garage",
    "Hotel",
    "Market",
    "Pharmacy",
    "Travel",
)


class Builder:
    """Adds numbers to an empty world."""

    def __init__(self, world: World, businesses: Sequence[BusinessSpec] = ()) -> None:
        self._world = world
        self._specs = tuple(businesses) or (BusinessSpec(),)
        self._apps: dict[str, App] = {}  # by name of the business
        self._wabas: dict[str, list[Waba]] = {}
        self._newest: dict[tuple[str, int | None], Waba] = {}  # by business and health problem of the account
        self._random = random.Random(f"{world.seed}:fleet")
        self._taken: set[str] = set()
        for spec in self._specs:
            self._add_business(spec)
        self.token = next(iter(world.tokens))

    def _add_business(self, spec: BusinessSpec) -> None:
        """Adds a business with its apps and one system user for each app."""
        world = self._world
        app = App(
            id=self._digits(15, "9"),
            name=spec.name,
            secret=f"{self._random.getrandbits(128):032x}",
            business_id=self._digits(15, "2"),
            verify_token=f"verify-{self._random.getrandbits(64):016x}",
            requires_proof=spec.requires_proof,
        )
        world.apps[app.id] = self._apps[spec.name] = app
        world.businesses[app.business_id] = Business(app.business_id, spec.name, spec.terms_accepted)
        self._wabas[spec.name] = []
        value = f"EAAG{self._random.getrandbits(256):064x}"
        token = Token(value, app.id, scopes=spec.token_scopes, user_id=self._digits(15, "1"))
        if spec.token_expires_in_days is not None:
            token.expires_at = world.now() + timedelta(days=spec.token_expires_in_days)
        world.tokens[value] = token
        for at in range(2, spec.apps + 1):
            another_app(world, app, token, at)

    def build(self, specs: Sequence[NumberSpec]) -> list[SimNumber]:
        """Adds the numbers. Raises BadSpec for a number of an unknown business."""
        numbers = [self._number(at, spec) for at, spec in enumerate(specs)]
        for spec in self._specs:
            if spec.token_sees_wabas is not None:
                for token in tokens_of(self._world, self._apps[spec.name].business_id):
                    token.wabas = frozenset(waba.id for waba in self._wabas[spec.name][: spec.token_sees_wabas])
        return numbers

    # -- parts

    def _digits(self, length: int, first: str) -> str:
        """An unused id. Ids are strings: they have more digits than a float can hold."""
        while True:
            digits = first + "".join(self._random.choices("0123456789", k=length - len(first)))
            if digits not in self._taken:
                self._taken.add(digits)
                return digits

    def _e164(self) -> str:
        while True:
            prefix, rest = self._random.choice(RANGES)
            e164 = "+" + prefix + "".join(self._random.choice("0123456789") if x == "#" else x for x in rest)
            if e164 not in self._taken:
                self._taken.add(e164)
                return e164

    def _waba(self, name: str, problem: int | None) -> Waba:
        """The newest WABA of the business, or a new one when that is full.

        Numbers with a problem of their account get a WABA without other numbers, which would have the problem too.
        """
        spec = next((spec for spec in self._specs if spec.name == name), None) if name else self._specs[0]
        if spec is None:
            raise BadSpec(f"no business is called {name!r}")
        newest = self._newest.get((spec.name, problem))
        if newest is not None and len(newest.phone_number_ids) < spec.numbers_per_waba:
            return newest
        count = len(self._world.wabas) + 1
        waba = Waba(self._digits(16, "10"), f"WABA {count}", self._apps[spec.name].business_id)
        self._wabas[spec.name].append(waba)
        self._newest[spec.name, problem] = waba
        for template, language in (("hello_world", "en_US"), ("hello_world", "en"), ("smoke_test", "en")):
            added = Template(self._digits(16, "7"), template, language)
            waba.templates.append(added)
            self._world.templates[added.id] = (waba, added)
        self._world.wabas[waba.id] = waba
        return waba

    def _number(self, at: int, spec: NumberSpec) -> SimNumber:
        world, now = self._world, self._world.now()
        e164, phone_number_id = self._e164(), self._digits(16, "10")
        if at % SHORT_ID == SHORT_ID - 1 and phone_number_id[:15] not in self._taken:
            phone_number_id = phone_number_id[:15]  # ids of older numbers are shorter
            self._taken.add(phone_number_id)
        name = f"{self._random.choice(NAMES)} {self._random.choice(TRADES)} {at + 1}"
        pin = f"{self._random.randrange(1_000_000):06d}"
        client = make_client(world, spec, e164, self._random) if spec.client != "none" else None
        number = SimNumber(
            e164=e164,
            phone_number_id=phone_number_id,
            waba_id=self._waba(spec.business, _account_problem(spec)).id,
            name=name,
            kind=spec.kind,
            sender=Sender(now, behaviour=spec.senders, queue=spec.sender_queue),
            platform=spec.platform,
            pin=None if spec.pin == "none" else pin,
            pin_on_file=_on_file(spec, pin),
            on_business_app=spec.on_business_app,
            banned=spec.banned,
            deleted=spec.deleted,
            official=spec.official,
            tos_missing=spec.tos_missing,
            health_problem=LOCKED if spec.locked else None,
            incomplete_deregistration=spec.unfinished == "deregistration",
            flagged=None if spec.status == "as_it_is" else spec.status,
            name_status=spec.name_status,
            quality=spec.quality,
        )
        self._verification(number, spec, now)
        if client is not None:
            number.live_instance = client.id
        self._profile(number, client, spec)
        world.add(
            number, client, make_spare_client(world, client) if client is not None and spec.spare_client else None
        )
        if spec.health_problem is not None:
            health.add_problem(world, number, spec.health_problem)
        number.sender.route = "cloud" if number.side == "cloud" else "on_premises"
        number.sender.running = number.side != "neither"  # senders do not send to a dark number
        return number

    def _verification(self, number: SimNumber, spec: NumberSpec, now: datetime) -> None:
        if spec.signed_up_days_ago is not None:
            number.onboarded_at = now - timedelta(days=spec.signed_up_days_ago)
        if spec.verified:
            number.code_status, number.verified_at = "VERIFIED", number.onboarded_at or now
        number.phone.receives = "voice" if spec.code_method == "voice" else "both"
        number.phone.lose = spec.lost_codes
        number.phone.voice_answered_by, number.phone.wrong_number = spec.voice_answered_by, spec.wrong_number
        number.phone.copies = spec.code_copies
        if spec.code_while_on_premises != "as_switch":
            number.code_while_on_premises = spec.code_while_on_premises

    def _profile(self, number: SimNumber, client: Instance | None, spec: NumberSpec) -> None:
        if not spec.profile:
            return
        profile = {
            "address": f"{self._random.randrange(1, 200)} Station Road",
            "description": f"{number.name}, open every day",
            "email": f"hello@n{number.phone_number_id}.example",
            "vertical": "RETAIL",
            "websites": [f"https://n{number.phone_number_id}.example"],
        }
        about = "Write to us"
        if client is None:
            number.profile = profile | {"about": about}
            return
        client.profile, client.about, client.photo = profile, about, b"\xff\xd8\xff\xe0sandbox"


def _account_problem(spec: NumberSpec) -> int | None:
    problem = spec.health_problem
    return problem if problem is not None and health.entity_of(problem) == "WABA" else None


def _on_file(spec: NumberSpec, pin: str) -> str | None:
    match spec.pin:
        case "known":
            return pin
        case "wrong":
            return f"{(int(pin) + 1) % 1_000_000:06d}"
        case _:
            return None
