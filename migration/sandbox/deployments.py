"""What can be done to an On-Premises deployment: by its operator, and through its own API.

https://developers.facebook.com/docs/whatsapp/on-premises/reference/account (registration, and its end: 1005)
https://developers.facebook.com/docs/whatsapp/on-premises/reference/settings/backup-and-restore
"""

from typing import Any

from migration.sandbox import backups
from migration.sandbox.errors import COREAPP_DOWN, NobodyThere, OnPremRefusal, Silence
from migration.sandbox.instance import Callbacks, Instance
from migration.sandbox.number import SimNumber, certificate
from migration.sandbox.register_checks import PIN
from migration.sandbox.verifying import send_code
from migration.sandbox.world import World

# -- the operator's hands

ACTIONS = (
    "stop",
    "start",
    "coreapp_down",
    "coreapp_up",
    "gone",
    "back",
    "wipe",
    "backup_fails",
    "backup_works",
    "firewall_up",
    "firewall_down",
)


def act(world: World, instance: Instance, what: str) -> bool:
    """Whether it was done; a command that fails changes nothing. Raises ValueError: no such action."""
    if what not in ACTIONS:
        raise ValueError(f"an instance cannot {what!r}; it can: {', '.join(ACTIONS)}")
    number = world.number_of(instance)
    assert number is not None
    if (what == "stop" and not instance.stop_works) or (what == "start" and instance.host == "gone"):
        return False
    with world.changing(number):
        _act(world, instance, number, what)
    return True


def _act(world: World, instance: Instance, number: SimNumber, what: str) -> None:
    match what:
        case "stop":
            instance.host = "gone" if instance.host == "gone" else "stopped"
        case "start":
            instance.host, instance.coreapp_up, instance.needs_restart = "up", True, False
            _reconnect(world, number, instance)
        case "coreapp_down" | "coreapp_up":
            instance.coreapp_up = what == "coreapp_up"
        case "gone" | "back":
            instance.host = "gone" if what == "gone" else "up"
        case "wipe":
            # A clean node in the old one's place: the client runs and holds no registration.
            instance.host, instance.coreapp_up, instance.registered = "up", True, False
            instance.moved = instance.needs_restart = False
            instance.tokens.clear()
            instance.callbacks = Callbacks(world.now())
        case "firewall_up" | "firewall_down":
            instance.firewalled = what == "firewall_up"
        case "backup_fails" | "backup_works":
            instance.backup_works = what == "backup_works"


def _reconnect(world: World, number: SimNumber, instance: Instance) -> None:
    if number.cut_off and world.switches.restart_heals_wrong_pin == "yes" and number.live_instance == instance.id:
        number.cut_off, number.platform = False, "ON_PREMISE"


# -- what its API needs


def answers(world: World, instance: Instance) -> None:
    """Raises NobodyThere where a connection would be refused, Silence where it would lead nowhere."""
    if instance.firewalled:
        raise Silence
    if instance.host != "up":
        raise NobodyThere
    if instance.expired(world.now()) and world.switches.expired_client == "refuses_all":
        raise NobodyThere


def calls_back(world: World, instance_id: str) -> bool:
    """Whether this client posts webhooks now. What is queued when its number moves is undocumented: a switch."""
    instance = world.instances[instance_id]
    if instance.host != "up" or not instance.coreapp_up or instance.expired(world.now()):
        return False
    return not instance.moved or world.switches.callbacks_after_move == "delivered"


def needs_coreapp(world: World, instance: Instance) -> None:
    """Raises 1014 where the Webapp answers alone."""
    dead = instance.expired(world.now()) and world.switches.expired_client == "coreapp_1014"
    if dead or not instance.coreapp_up or instance.needs_restart:
        raise OnPremRefusal(1014, COREAPP_DOWN)


def gateway_status(world: World, instance: Instance) -> str:
    number = world.number_of(instance)
    if world.connected(instance):
        return "connected"
    if instance.moved and number is not None and number.platform == "CLOUD_API":
        return "unregistered" if world.switches.health_after_move == "unregistered" else "disconnected"
    return "disconnected" if instance.registered or instance.moved else "unregistered"


def back_up(world: World, instance: Instance, password: Any) -> str:
    """Works only while the client is registered and running. Raises OnPremRefusal."""
    needs_coreapp(world, instance)
    if not isinstance(password, str) or not password:
        raise OnPremRefusal(1008, "Parameter 'password' is mandatory")
    expired = instance.expired(world.now())
    if expired and world.switches.expired_backup == "refused":
        raise OnPremRefusal(1014, "This client build has expired")
    if not instance.backup_works:
        raise OnPremRefusal(1014, "Backup could not be created")
    if not instance.registered or not (expired or world.connected(instance)):
        raise OnPremRefusal(1014, "Client is not registered and running")
    number = world.number_of(instance)
    assert number is not None
    contents = backups.Contents(instance.e164, instance.id, world.now(), instance.shards, cloud_profile(instance))
    return backups.seal(contents, password, world.draw(number).randbytes(backups.SALT))


def restore(world: World, instance: Instance, data: Any, password: Any) -> None:
    """Onto a clean node: serves again. Onto one with an app: it stops until it is restarted."""
    needs_coreapp(world, instance)
    if not isinstance(data, str) or not isinstance(password, str):
        raise OnPremRefusal(1008, "Parameters 'data' and 'password' are mandatory")
    try:
        contents = backups.open_(data, password)
    except backups.CannotOpen:
        raise OnPremRefusal(1009, "The backup could not be decrypted") from None
    if contents.shards != instance.shards:
        raise OnPremRefusal(1009, f"The backup is of {contents.shards} shards, this node has {instance.shards}")
    number = world.number_of(instance)
    if number is None or contents.e164 != number.e164:
        raise OnPremRefusal(1009, "The backup is of another number")
    with world.changing(number):
        if instance.registered:
            instance.needs_restart = True
        instance.registered = True
        if _restore_registers(world) and number.platform != "CLOUD_API":
            hold_registration(number, instance)


def _restore_registers(world: World) -> bool:
    rule = world.switches.restore_registers
    return rule == "always" or (rule == "open_world" and world.kind == "open")


def hold_registration(number: SimNumber, instance: Instance) -> None:
    """Meta honours this client's registration from now on. The caller is inside `world.changing`."""
    number.platform, number.live_instance, number.cut_off = "ON_PREMISE", instance.id, False
    instance.moved = False


def register_account(world: World, instance: Instance, body: dict[str, Any]) -> bool:
    """True: registered already. False: a code is on its way. Raises OnPremRefusal."""
    needs_coreapp(world, instance)
    for name in ("cc", "phone_number", "method", "cert"):
        if not body.get(name):
            raise OnPremRefusal(1008, f"Parameter '{name}' is mandatory")
    if world.kind != "open":
        raise OnPremRefusal(1005, "Unknown error: biz_link_on_prem_reg_blocked", world.switches.account_block_status)
    wanted = f"+{body['cc']}{body['phone_number']}"
    if world.connected(instance) and wanted == instance.e164:
        return True
    number = world.numbers.get(wanted)
    if number is None or wanted != instance.e164:
        raise OnPremRefusal(1009, "The certificate is not of this phone number")
    if body["cert"] != certificate(number):
        raise OnPremRefusal(1009, "The certificate is not of this phone number")
    if number.pin is not None and str(body.get("pin", "")) != number.pin:
        # Which code this is, is not in any stored page.
        raise OnPremRefusal(1005, "Two-step verification PIN is missing or wrong", 403)
    send_code(world, number, str(body["method"]).upper())
    instance.pending = {"e164": wanted}
    return False


def verify_account(world: World, instance: Instance, code: Any) -> None:
    """Raises OnPremRefusal. A number that was elsewhere leaves it: it lives on one platform."""
    needs_coreapp(world, instance)
    if not instance.pending:
        raise OnPremRefusal(1000, "No registration is in progress")
    number = world.number(instance.pending["e164"])
    if not number.phone.accept(str(code or "").replace("-", ""), world.now()):
        raise OnPremRefusal(1009, "The code is not valid")
    with world.changing(number):
        instance.registered, instance.pending = True, {}
        hold_registration(number, instance)


def set_two_step(world: World, instance: Instance, pin: Any) -> None:
    """None turns it off. Raises OnPremRefusal. It is told to Meta, so the client has to be connected."""
    needs_coreapp(world, instance)
    if pin is not None and not PIN.fullmatch(str(pin)):
        raise OnPremRefusal(1009, "Parameter 'pin' must have 6 digits")
    if not world.connected(instance):
        raise OnPremRefusal(1014, "Client is not connected")
    number = world.number_of(instance)
    assert number is not None
    with world.changing(number):
        number.pin = None if pin is None else str(pin)


def cloud_profile(instance: Instance) -> dict[str, Any]:
    """The profile as Cloud would show it."""
    profile = {name: value for name, value in instance.profile.items() if value}
    if instance.about:
        profile["about"] = instance.about
    if instance.photo is not None:
        profile["profile_picture_url"] = f"https://pps.example/{instance.id}.jpg"
    return profile
