"""Addresses that would carry passwords, tokens and numbers unencrypted: `http://` beyond this machine.

Refused at import and preflight unless the row, the hook or the profile allows it, and never for a number under way: to
stop it there could leave it dark.
"""

from collections.abc import Iterator

from migration.clients.addresses import is_clear
from migration.home.admin_file import AdminSettings
from migration.preflight.check import CheckResult, Verdict
from migration.settings import Settings
from state.rows import Position

NAME = "encryption"


def clear_instance(admin: AdminSettings, profile: str, base_url: str, *, allowed: bool) -> str | None:
    """What is wrong with an instance's address, as the end of a sentence; None where nothing is."""
    if allowed or _allows(admin, profile) or not is_clear(base_url):
        return None
    return (
        "is http:// beyond this machine, which sends its password in clear; use https://, "
        "or state onprem_clear_http=yes in the row or clear_http = true in the profile"
    )


def clear_hook(admin: AdminSettings, hook: str | None) -> str | None:
    """As `clear_instance`, of a hook that the admin file names."""
    settings = admin.hooks.get(hook or "")
    if settings is None or settings.url is None or settings.clear_http or not is_clear(settings.url):
        return None
    return f"{hook} has an http:// address beyond this machine; use https://, or state clear_http = true in the hook"


def clear_graph(admin: AdminSettings, settings: Settings, profile: str) -> str | None:
    """As `clear_instance`, of a Graph address that was set by hand."""
    if _allows(admin, profile) or not is_clear(settings.graph_url):
        return None
    return (
        f"{profile} would send its token in clear, because CUTOVER_GRAPH_URL is http:// beyond this machine; "
        "use https://, or state clear_http = true in the profile"
    )


def is_under_way(position: Position) -> bool:
    """Something of its migration was done already."""
    begun = position.attempts > 0 or position.crossed_at is not None or position.paused_at is not None
    return position.ended_at is None and (begun or position.dark_by_us)


def check_clear_addresses(admin: AdminSettings, settings: Settings, position: Position) -> CheckResult | None:
    """Sends nothing. A failure means that no other check may send anything either."""
    problem = next(_problems(admin, settings, position), None)
    if problem is None:
        return None
    if is_under_way(position):
        return CheckResult(NAME, Verdict.WARN, f"{problem}; the number is under way and goes on")
    return CheckResult(NAME, Verdict.FAIL, f"{problem}; nothing was sent")


def _problems(admin: AdminSettings, settings: Settings, position: Position) -> Iterator[str]:
    graph = clear_graph(admin, settings, position.profile)
    if graph is not None:
        yield f"profile {graph}"
    hook = clear_hook(admin, position.hook)
    if hook is not None:
        yield f"hook {hook}"
    instance = position.instance
    if instance is not None:
        problem = clear_instance(admin, position.profile, instance.base_url, allowed=instance.clear_http)
        if problem is not None:
            yield f"the address of instance {instance.name} {problem}"


def _allows(admin: AdminSettings, profile: str) -> bool:
    settings = admin.profiles.get(profile)
    return settings is not None and settings.clear_http
