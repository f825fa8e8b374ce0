"""Which home, database and Graph a command works with: said first, so that nobody moves the wrong fleet."""

from migration.cli.output import print_line
from migration.home.ownership import shown_database
from migration.settings import Settings
from state.home import HomeRow


def print_home(settings: Settings, home: HomeRow, *, as_json: bool) -> None:
    """The first line for a person; with `as_json` the document has `home_fields` instead."""
    if not as_json:
        database = shown_database(settings)
        print_line(f"home {settings.home} ({home.home_id}), database {database}, Graph {settings.graph_url}")


def home_fields(settings: Settings, home: HomeRow) -> dict[str, str]:
    return {
        "home": str(settings.home),
        "home_id": home.home_id,
        "database": shown_database(settings),
        "graph": settings.graph_url,
    }
