"""Credential profiles: a new token in the place of one that died."""

from migration.app import App
from migration.clients.graph import GraphApi
from migration.clients.graph_models import TokenFacts
from migration.errors import CredentialsRefused
from migration.fleet.importing import RowSealer, profile_secrets
from state.errors import NotFound
from state.ledger.fleet_import import NewProfile


async def renew_profile(app: App, name: str) -> TokenFacts:
    """Take a profile's secrets from the admin file anew, once Graph has accepted the token.

    Raises NotFound, BadSetting, CredentialsRefused; then the old ones stay.
    """
    if name not in app.admin.profiles:
        raise NotFound(f"{app.settings.admin_path} names no profile {name}")
    secrets = profile_secrets(name, app.admin, app.settings.admin_path.parent)
    wires = app.clients.http
    cloud = GraphApi(wires.graph, wires.fresh, app.clients.graph_base, secrets["token"], secrets.get("app_secret"))
    facts = await cloud.debug_token()
    if not facts.is_valid:
        raise CredentialsRefused(f"Graph does not accept the new token of profile {name}", None, "not valid")
    new = NewProfile(name, app.admin.profiles[name].app_id)
    await app.ledger.fleet_import.replace_profile_secrets(new, RowSealer(app.secret_store, {name: secrets}))
    await app.ledger.operator_changes.unhalt_profile(name)
    return facts
