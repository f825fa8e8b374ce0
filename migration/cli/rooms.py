"""`cutover rooms`: links to the customers' rooms, as a file that the partner sends out by its own channel."""

import csv
import io
from collections.abc import Sequence
from datetime import UTC, timedelta
from pathlib import Path
from typing import Annotated

import typer

from migration.cli.confirming import ChangeReport, change_number
from migration.cli.exit_codes import ExitCode
from migration.cli.options import DryRun, Json
from migration.cli.output import count_text, print_json, print_line
from migration.cli.running import run_verb, usage_error
from migration.cli.session import open_cli_app, operator_name
from migration.cli.target import select_target
from migration.clients.addresses import BadAddress, parse_address
from migration.operations.customer_rooms import RoomLink, make_links, revoke_room
from migration.scrubbing.rendering import for_csv
from migration.vault.private_file import write_private

COLUMNS = ("ref", "e164", "customer", "contact", "language", "url", "expires_at")


def rooms(
    what: Annotated[str, typer.Argument(help="A wave, or one number.")],
    out: Annotated[
        Path | None, typer.Option(help="The file to write; it must not exist. Only you can read it.")
    ] = None,
    url: Annotated[
        str | None, typer.Option(help="Where customers reach `cutover serve`; default: public_url of the admin file.")
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=60, help="How long the links are good.")] = 14,
    revoke: Annotated[bool, typer.Option("--revoke", help="End every link to the room of this number.")] = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Write a link to its own page for every number of a wave: slot, consent, "send the code now", entering it."""
    if revoke:
        by, because = operator_name(), "revoked"
        report = ChangeReport(as_json, dry_run)
        will = "end every link to its room; `cutover rooms` makes new ones"
        run_verb(change_number(report, what, will, lambda app: revoke_room(app, what, because, by)))
    if out is None:
        usage_error("--out names the file to write")
    if out.exists():
        usage_error(f"{out} exists already; nothing was written")
    if not out.absolute().parent.is_dir():
        usage_error(f"there is no folder {out.parent}; nothing was written")
    run_verb(_export(what, out, url, timedelta(days=days), dry_run=dry_run, as_json=as_json))


async def _export(what: str, out: Path, url: str | None, lasts: timedelta, *, dry_run: bool, as_json: bool) -> int:
    async with open_cli_app(dry_run=dry_run) as app:
        base = url or getattr(getattr(app.admin, "web", None), "public_url", None)
        if base is None:
            usage_error("where do customers reach `cutover serve`? --url https://..., or public_url in the admin file")
        try:
            parse_address(base)
        except BadAddress as exc:
            usage_error(f"--url {exc}; nothing was written")
        _, board = await select_target(app, what)
        links = await make_links(app, board, base, operator_name(), lasts)
    if not dry_run:
        write_private(out, _as_csv(links))
    if as_json:
        print_json({"links": len(links), "file": str(out), "dry_run": dry_run})
    else:
        done = "would be written" if dry_run else "written"
        print_line(f"{count_text(len(links), 'link')} {done} to {out}. Whoever has a link can act for its number.")
        missing = sum(link.contact is None for link in links)
        if missing:
            print_line(f"No contact is known for {count_text(missing)}; `cutover import --customers FILE`.")
    return ExitCode.DONE


def _as_csv(links: Sequence[RoomLink]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for link in links:
        ends = f"{link.expires_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        cells = (link.ref, link.e164, link.customer, link.contact or "", link.language, link.url, ends)
        writer.writerow([for_csv(cell, show_numbers=True) for cell in cells])
    return text.getvalue()
