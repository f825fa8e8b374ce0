"""Credential profiles: replacing a token that Meta no longer accepts."""

from migration.app import App
from migration.clients.graph import GraphApi
from migration.clients.graph_errors import CREDENTIALS
from migration.clients.graph_models import TokenFacts
from migration.errors import CredentialsRefused, Rejected
from migration.fleet.profile_secrets import graph_client, read_profile_secrets
from migration.fleet.row_sealer import RowSealer
from migration.scrubbing.texts import as_safe
from state.errors import NotFound
from state.ledger.profiles import NewProfile


async def _accepted_token(app: App, name: str, graph: GraphApi) -> TokenFacts:
    """What Graph says of the token. One that may not look itself up is proved by reading a number of its profile."""
    try:
        facts = await graph.debug_token()
    except Rejected as exc:
        if exc.error_code in CREDENTIALS:
            raise
        facts = TokenFacts()
    number = await app.queries.fleet.a_phone_number_id(name)
    if facts.is_valid is None and number is not None:
        await graph.number(number)
    elif not facts.is_valid:
        raise CredentialsRefused(f"Graph does not accept the new token of profile {name}", None, as_safe("not valid"))
    return facts


async def renew_profile(app: App, name: str) -> TokenFacts:
    """Read a profile's secrets from the admin file again, and store them once Graph has accepted the token.

    Raises NotFound, BadSetting, CredentialsRefused; then the old secrets stay.
    """
    if name not in app.admin.profiles:
        raise NotFound(f"{app.settings.admin_path} names no profile {name}")
    secrets = read_profile_secrets(name, app.admin, app.settings.admin_path.parent)
    facts = await _accepted_token(app, name, graph_client(app, name, secrets))
    profile = NewProfile(name, app.admin.profiles[name].app_id)
    await app.ledger.profiles.replace_secrets(profile, RowSealer(app.secret_store, {name: secrets}))
    await app.ledger.profiles.resume(name)
    return facts
