"""The secrets of credential profiles, read from where the admin file says they are."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr

from migration.app import App
from migration.clients.graph import GraphApi
from migration.home.admin_file import AdminSettings, ProfileSettings


def read_profile_secrets(name: str, admin: AdminSettings, folder: Path) -> dict[str, SecretStr]:
    """`token` and, if the admin file names them, `app_secret` and `verify_token`. Raises BadSetting.

    `folder` is what paths in the admin file are relative to.
    """
    settings: ProfileSettings = admin.profiles[name]
    secrets = {"token": settings.token.read(f"profile {name}, token", folder)}
    for field in ("app_secret", "verify_token"):
        source = getattr(settings, field)
        if source is not None:
            secrets[field] = source.read(f"profile {name}, {field}", folder)
    return secrets


def graph_client(app: App, name: str, secrets: Mapping[str, SecretStr]) -> GraphApi:
    """A client for a profile whose secrets are not in the database yet."""
    calls = app.clients.budget.of(app.admin.profiles[name].app_id)
    return app.clients.graph_client(secrets["token"], secrets.get("app_secret"), calls)
