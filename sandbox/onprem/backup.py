"""Backup and restore at an On-Premises client, as rows of the table of transitions.

https://developers.facebook.com/docs/whatsapp/on-premises/reference/settings/backup-and-restore
"""

from typing import Any, Final

from sandbox.onprem.transitions import RefusalSpec, Transition, TransitionContext, hold_registration
from sandbox.world import backups
from sandbox.world.instance import Instance

BACKUP = "https://developers.facebook.com/docs/whatsapp/on-premises/reference/settings/backup-and-restore"
OURS = "ours"

# -- backup


def _no_password(context: TransitionContext) -> bool:
    return not isinstance(context.body.get("password"), str) or not context.body["password"]


def _backup_refused_when_expired(context: TransitionContext) -> bool:
    return context.world.switches.expired_backup == "refused"


def _backup_fails(context: TransitionContext) -> bool:
    return not context.client.backup_works


def _registered(context: TransitionContext) -> bool:
    return context.client.registered


def sealed_backup(context: TransitionContext) -> str:
    """The backup of a client, for a call that a row has accepted."""
    client = context.client
    contents = backups.Contents(
        client.e164, client.id, context.at, client.shards, cloud_profile(client), client.settings
    )
    salt = context.world.draw(context.number).randbytes(backups.SALT)
    return backups.seal(contents, str(context.body["password"]), salt)


def cloud_profile(client: Instance) -> dict[str, Any]:
    """The client's profile with the field names of Cloud."""
    profile = {name: value for name, value in client.profile.items() if value}
    if client.about:
        profile["about"] = client.about
    if client.photo is not None:
        profile["profile_picture_url"] = f"https://pps.example/{client.id}.jpg"
    return profile


# -- restore: conditions


def _restore_refused_when_expired(context: TransitionContext) -> bool:
    return context.world.switches.expired_restore == "refused"


def _parameter_missing(context: TransitionContext) -> bool:
    return not all(isinstance(context.body.get(name), str) for name in ("data", "password"))


def _contents(context: TransitionContext) -> backups.Contents | None:
    """None when the backup does not open."""
    try:
        return backups.open_(str(context.body["data"]), str(context.body["password"]))
    except backups.CannotOpen:
        return None


def _does_not_open(context: TransitionContext) -> bool:
    return _contents(context) is None


def _other_shards(context: TransitionContext) -> bool:
    contents = _contents(context)
    return contents is not None and contents.shards != context.client.shards


def _other_number(context: TransitionContext) -> bool:
    contents = _contents(context)
    return contents is not None and contents.e164 != context.number.e164


def _is_honoured(context: TransitionContext) -> bool:
    """Whether Meta honours the restored registration.

    While the number is on On-Premises it does, whichever client has the number now. Once the number has left
    On-Premises, or is on Cloud, it is undocumented: switch `restore_registers`.
    """
    number, rule = context.number, context.world.switches.restore_registers
    if number.banned or number.moving_until is not None:
        return False
    if number.platform == "CLOUD_API":
        return rule == "even_from_cloud"
    still_there = number.platform == "ON_PREMISE" and number.live_instance is not None and not number.cut_off
    always = rule in ("always", "even_from_cloud")
    return still_there or always or (rule == "open_world" and context.world.kind == "open")


def _clean(context: TransitionContext) -> bool:
    return not context.client.registered


def _clean_and_honoured(context: TransitionContext) -> bool:
    return _clean(context) and _is_honoured(context)


# -- restore: changes


def _restore_over_registration(context: TransitionContext) -> None:
    context.client.needs_restart = True
    _restore_settings(context)
    if _is_honoured(context):
        _restore_registration(context)


def _restore_registration(context: TransitionContext) -> None:
    """A restore is no new registration: the client keeps the time of the old one."""
    contents, client = _contents(context), context.client
    _restore_settings(context)
    client.pending = {}
    client.registered_at = client.registered_at or (contents.taken_at if contents is not None else context.at)
    hold_registration(context)


def _restore_without_registration(context: TransitionContext) -> None:
    """The client believes that it is registered; Meta does not honour it."""
    _restore_settings(context)
    context.client.registered = True


def _restore_settings(context: TransitionContext) -> None:
    """A backup holds all application settings, the webhook's address among them."""
    contents = _contents(context)
    if contents is not None:
        context.client.settings = dict(contents.settings)


PASSWORD_MISSING = RefusalSpec(1008, "Parameter 'password' is mandatory")
BACKUP_EXPIRED = RefusalSpec("backup_not_running_code", "This client build has expired")
BACKUP_FAILED = RefusalSpec("backup_failed_code", "Backup could not be created")
NOT_RUNNING = RefusalSpec("backup_not_running_code", "Client is not registered and running")
INCOMPLETE = RefusalSpec(1008, "Parameters 'data' and 'password' are mandatory")
UNREADABLE = RefusalSpec("restore_refused_code", "The backup could not be decrypted")
OTHER_SHARDS = RefusalSpec("restore_refused_code", "The backup is of another number of shards")
OTHER_NUMBER = RefusalSpec("restore_refused_code", "The backup is of another number")
EXPIRED = RefusalSpec("expired_call_code", "This client build has expired")
CLEAN = ("unregistered", "code_requested", "moved", "disconnected")
# fmt: off
BACKUP_TRANSITIONS: Final[tuple[Transition, ...]] = (
    Transition("backup", (), "", BACKUP, 400, PASSWORD_MISSING, "no password", _no_password),
    Transition("backup", ("expired",), "", BACKUP, 500, BACKUP_EXPIRED, "switch `expired_backup`",
               _backup_refused_when_expired),
    Transition("backup", (), "", OURS, 500, BACKUP_FAILED, "backups fail", _backup_fails),
    Transition("backup", ("connected", "locked"), "", BACKUP),
    Transition("backup", ("expired",), "", BACKUP, condition="it is registered", applies=_registered),
    Transition("backup", (), "", BACKUP, 500, NOT_RUNNING),
    Transition("restore", (), "", BACKUP, 400, INCOMPLETE, "data or password is missing", _parameter_missing),
    Transition("restore", (), "", BACKUP, 400, UNREADABLE, "it does not open", _does_not_open),
    Transition("restore", (), "", BACKUP, 400, OTHER_SHARDS, "its shards are others", _other_shards),
    Transition("restore", (), "", OURS, 400, OTHER_NUMBER, "of another number", _other_number),
    Transition("restore", ("expired",), "", OURS, 500, EXPIRED, "switch `expired_restore`",
               _restore_refused_when_expired),
    Transition("restore", ("expired",), "", BACKUP, change=_restore_without_registration),
    Transition("restore", CLEAN, "connecting", BACKUP,
               condition="it is clean and Meta takes it: switch `restore_registers`", applies=_clean_and_honoured,
               change=_restore_registration),
    Transition("restore", ("unregistered", "disconnected"), "disconnected", BACKUP, condition="it is clean",
               applies=_clean, change=_restore_without_registration),
    Transition("restore", ("moved", "code_requested"), "", BACKUP, condition="it is clean", applies=_clean,
               change=_restore_without_registration),
    Transition("restore", (), "app_stopped", BACKUP, condition="it had an app", change=_restore_over_registration),
)
# fmt: on
