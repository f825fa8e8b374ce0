"""Backup and restore at an On-Premises client, as rows.

https://developers.facebook.com/docs/whatsapp/on-premises/reference/settings/backup-and-restore
"""

from typing import Any, Final

from sandbox.onprem.transitions import Deed, Move, No, hold_registration
from sandbox.world import backups
from sandbox.world.instance import Instance

BACKUP = "https://developers.facebook.com/docs/whatsapp/on-premises/reference/settings/backup-and-restore"
OURS = "ours"

# -- backup


def _no_password(deed: Deed) -> bool:
    return not isinstance(deed.body.get("password"), str) or not deed.body["password"]


def _expired_refused(deed: Deed) -> bool:
    return deed.world.switches.expired_backup == "refused"


def _expired_restore_refused(deed: Deed) -> bool:
    return deed.world.switches.expired_restore == "refused"


def _broken(deed: Deed) -> bool:
    return not deed.client.backup_works


def _registered(deed: Deed) -> bool:
    return deed.client.registered


def sealed(deed: Deed) -> str:
    """The backup of a client that a row has allowed one."""
    client = deed.client
    contents = backups.Contents(client.e164, client.id, deed.at, client.shards, cloud_profile(client), client.settings)
    return backups.seal(contents, str(deed.body["password"]), deed.world.draw(deed.number).randbytes(backups.SALT))


def cloud_profile(client: Instance) -> dict[str, Any]:
    """The profile as Cloud would show it."""
    profile = {name: value for name, value in client.profile.items() if value}
    if client.about:
        profile["about"] = client.about
    if client.photo is not None:
        profile["profile_picture_url"] = f"https://pps.example/{client.id}.jpg"
    return profile


# -- restore


def _half(deed: Deed) -> bool:
    return not all(isinstance(deed.body.get(name), str) for name in ("data", "password"))


def _opened(deed: Deed) -> backups.Contents | None:
    try:
        return backups.open_(str(deed.body["data"]), str(deed.body["password"]))
    except backups.CannotOpen:
        return None


def _garbled(deed: Deed) -> bool:
    return _opened(deed) is None


def _other_shards(deed: Deed) -> bool:
    contents = _opened(deed)
    return contents is not None and contents.shards != deed.client.shards


def _of_another(deed: Deed) -> bool:
    contents = _opened(deed)
    return contents is not None and contents.e164 != deed.number.e164


def _brings_back(deed: Deed) -> bool:
    """Whether Meta honours the registration: where the number is on On-Premises it still does, whichever client has
    it now; where the number had left it, or is on Cloud, it is undocumented."""
    number, rule = deed.number, deed.world.switches.restore_registers
    if number.banned or number.moving_until is not None:
        return False
    if number.platform == "CLOUD_API":
        return rule == "even_from_cloud"
    stands = number.platform == "ON_PREMISE" and number.live_instance is not None and not number.cut_off
    always = rule in ("always", "even_from_cloud")
    return stands or always or (rule == "open_world" and deed.world.kind == "open")


def _clean(deed: Deed) -> bool:
    return not deed.client.registered


def _comes_back_clean(deed: Deed) -> bool:
    return _clean(deed) and _brings_back(deed)


def _over_an_app(deed: Deed) -> None:
    deed.client.needs_restart = True
    _comes_as_it_was(deed)
    if _brings_back(deed):
        _comes_back(deed)


def _comes_back(deed: Deed) -> None:
    """Moving from client to client needs no new registration, so its time is that of the old one."""
    contents = _opened(deed)
    _comes_as_it_was(deed)
    deed.client.pending = {}
    deed.client.registered_at = deed.client.registered_at or (contents.taken_at if contents is not None else deed.at)
    hold_registration(deed)


def _unhonoured(deed: Deed) -> None:
    _comes_as_it_was(deed)
    deed.client.registered = True


def _comes_as_it_was(deed: Deed) -> None:
    """A backup has the application settings in it: the webhook's address, and all that was set."""
    contents = _opened(deed)
    if contents is not None:
        deed.client.settings = dict(contents.settings)


# fmt: off
BACKUPS: Final[tuple[Move, ...]] = (
    Move("backup", (), "", BACKUP, 400, No(1008, "Parameter 'password' is mandatory"), "no password", _no_password),
    Move("backup", ("expired",), "", BACKUP, 500, No("backup_not_running_code", "This client build has expired"),
         "switch `expired_backup`", _expired_refused),
    Move("backup", (), "", OURS, 500, No("backup_failed_code", "Backup could not be created"), "backups fail", _broken),
    Move("backup", ("connected", "locked"), "", BACKUP),
    Move("backup", ("expired",), "", BACKUP, when="it is registered", holds=_registered),
    Move("backup", (), "", BACKUP, 500, No("backup_not_running_code", "Client is not registered and running")),
    Move("restore", (), "", BACKUP, 400, No(1008, "Parameters 'data' and 'password' are mandatory"),
         "data or password is missing", _half),
    Move("restore", (), "", BACKUP, 400, No("restore_refused_code", "The backup could not be decrypted"),
         "it does not open", _garbled),
    Move("restore", (), "", BACKUP, 400, No("restore_refused_code", "The backup is of another number of shards"),
         "its shards are others", _other_shards),
    Move("restore", (), "", OURS, 400, No("restore_refused_code", "The backup is of another number"),
         "of another number", _of_another),
    Move("restore", ("expired",), "", OURS, 500, No("expired_call_code", "This client build has expired"),
         "switch `expired_restore`", _expired_restore_refused),
    Move("restore", ("expired",), "", BACKUP, do=_unhonoured),
    Move("restore", ("unregistered", "code_requested", "moved", "disconnected"), "connecting", BACKUP,
         when="it is clean and Meta takes it: switch `restore_registers`", holds=_comes_back_clean, do=_comes_back),
    Move("restore", ("unregistered", "disconnected"), "disconnected", BACKUP, when="it is clean", holds=_clean,
         do=_unhonoured),
    Move("restore", ("moved", "code_requested"), "", BACKUP, when="it is clean", holds=_clean, do=_unhonoured),
    Move("restore", (), "app_stopped", BACKUP, when="it had an app", do=_over_an_app),
)
# fmt: on
