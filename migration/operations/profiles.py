"""Credential profiles: replacing a token that Meta no longer accepts."""

from migration.app import App
from migration.clients.graph_models import TokenFacts
from migration.errors import CredentialsRefused
from migration.fleet.profile_secrets import graph_client, read_profile_secrets
from migration.fleet.row_sealer import RowSealer
from migration.scrubbing.texts import as_safe
from state.errors import NotFound
from state.ledger.profiles import NewProfile


async def renew_profile(app: App, name: str) -> TokenFacts:
    """Read a profile's secrets from the admin file again, and store them once Graph has accepted the token.

    Raises NotFound, BadSetting, CredentialsRefused; then the old secrets stay.
    """
    if name not in app.admin.profiles:
        raise NotFound(f"{app.settings.admin_path} names no profile {name}")
    secrets = read_profile_secrets(name, app.admin, app.settings.admin_path.parent)
    facts = await graph_client(app, name, secrets).debug_token()
    if not facts.is_valid:
        raise CredentialsRefused(f"Graph does not accept the new token of profile {name}", None, as_safe("not valid"))
    profile = NewProfile(name, app.admin.profiles[name].app_id)
    await app.ledger.profiles.replace_secrets(profile, RowSealer(app.secret_store, {name: secrets}))
    await app.ledger.profiles.resume(name)
    return facts
