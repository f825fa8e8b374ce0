"""`cutover secrets`: which secrets can still be opened, and until when. It opens none of them."""

from migration.cli.exit_codes import ExitCode
from migration.cli.home_line import home_fields, print_home
from migration.cli.options import Json
from migration.cli.output import print_json, print_line, print_table
from migration.cli.running import run_verb
from migration.cli.session import open_cli_reader
from migration.home.admin_file import read_admin_settings
from migration.operations.secret_list import SecretGroup, files_without_row, group_secrets
from migration.vault.backup_shelf import SUFFIX, kept_files


def secrets(as_json: Json = False) -> None:
    """Show which secrets can be opened, and until when. None of them is opened or shown."""
    run_verb(_secrets(as_json=as_json))


async def _secrets(*, as_json: bool) -> int:
    async with open_cli_reader() as reader:
        print_home(reader.settings, reader.home, as_json=as_json)
        retention = read_admin_settings(reader.settings.admin_path).retention
        openable = await reader.queries.secrets.openable()
        groups = group_secrets(openable, retention.keep())
        files = [path.name for path in reader.settings.backup_folder.glob(f"*{SUFFIX}")]
        loose = files_without_row(files, kept_files(openable))
        if as_json:
            document = {"secrets": [_document(group) for group in groups], "files_on_shelf": len(files)}
            print_json(document | {"files_without_backup": loose} | home_fields(reader.settings, reader.home))
            return ExitCode.DONE
    rows = [[str(group.count), group.kind, _until(group), group.ends] for group in groups]
    print_table("Secrets that can be opened", ["how many", "what", "until", "then"], rows)
    print_line(f"{len(files)} files on the shelf of backups, {len(loose)} of them of no backup that is kept.")
    if loose:
        print_line("`cutover sweep` destroys those of which the database has a row; the others may be newer than it.")
    return ExitCode.DONE


def _until(group: SecretGroup) -> str:
    return f"{group.until:%Y-%m-%d %H:%M} UTC" if group.until is not None else "-"


def _document(group: SecretGroup) -> dict[str, object]:
    return {
        "kind": group.kind,
        "count": group.count,
        "until": group.until,
        "ends": group.ends,
        "numbers": list(group.refs),
    }
