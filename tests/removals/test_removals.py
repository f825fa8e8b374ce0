"""Each safeguard is removed from a copy of the code, and a test has to fail: so no test of a safeguard is idle.

A case names a file, the code that is removed, its replacement, and the tests that have to fail.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import cache_from_source
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("flows", "migration", "state", "sandbox", "alembic", "tests", "runbooks", "docs", "pyproject.toml")


@dataclass(frozen=True)
class Removal:
    file: str
    code: str
    instead: str
    noticed_by: tuple[str, ...]


ITINERARIES = "tests/journeys/test_itineraries.py"
KILLED = "tests/crash/test_every_commit.py"
LOST = "tests/journeys/test_lost_responses.py"
LATE = "tests/journeys/test_send_deadline.py"
BACK = "tests/journeys/test_back_to_onprem.py"
TWO_HOMES = "tests/journeys/test_two_homes.py"
TWO_WORKERS = "tests/journeys/test_two_workers.py"

BUDGETS = "tests/unit/state/test_call_budgets.py"

RECORD = "tests/unit/state/test_record_check.py"

PHONES = "tests/journeys/test_somebody_at_the_phone.py"

WEBHOOKS = "tests/web/test_webhooks.py"

CALLS = "tests/unit/clients/test_rate_budget.py"

ARRIVALS = "tests/unit/state/test_operator_changes.py::test_what_arrives_for_a_number_makes_its_worker_read_it_again"

MEANWHILE = "tests/unit/engine/test_changed_meanwhile.py"

REMOVALS = {
    "the barrier around the work on one number": Removal(
        "migration/engine/executor.py",
        "            if concerns_every_number(exc):\n                raise\n            return await self._block(",
        "            if exc is not None:\n                raise\n            return await self._block(",
        ("tests/unit/engine/test_unexpected.py",),
    ),
    "the version that a fenced write names": Removal(
        "state/ledger/moves.py",
        '                MigrationTable.version == bindparam("w_version"),\n',
        "",
        (ARRIVALS,),
    ),
    "the version that an intent names": Removal(
        "state/ledger/attempts.py",
        'conditions = [*self._lease_holds(), MigrationTable.version == bindparam("w_version")]',
        "conditions = [*self._lease_holds()]",
        (ARRIVALS,),
    ),
    "the version that a hook's answer raises": Removal(
        "state/ledger/senders.py", "                await raise_versions(tx, this)\n", "", (ARRIVALS,)
    ),
    "the newer pause that a late answer does not end": Removal(
        "state/ledger/senders.py",
        ".where(this, ~_paused_since(position, body))",
        ".where(this)",
        ("tests/unit/state/test_senders.py",),
    ),
    "the renewal that is sent again at once": Removal(
        "migration/waves/senders.py",
        "    unconfirmed = position.senders_tries > 0 or owes_route(position)\n",
        "    unconfirmed = owes_route(position)\n",
        (
            "tests/journeys/test_paused_senders.py::test_a_renewal_that_did_not_reach_its_hook_is_sent_again_within_seconds",
        ),
    ),
    "the route that a hook has refused": Removal(
        "migration/waves/senders.py",
        "    unconfirmed = position.senders_tries > 0 or owes_route(position)\n",
        "    unconfirmed = position.senders_tries > 0\n",
        ("tests/journeys/test_paused_senders.py::test_a_route_that_its_hook_refuses_is_told_again_until_it_is_taken",),
    ),
    "the senders of a number that has ended": Removal(
        "migration/engine/sender_needs.py",
        "    if state.ended_at is not None:\n        return SenderNeed.RESUME\n",
        "",
        ("tests/unit/waves/test_senders.py",),
    ),
    "the side that only a step which moves the number takes away": Removal(
        "migration/engine/recorder.py",
        "    if side is None or not (run.entry.changes_side or resolves):\n",
        "    if side is None:\n",
        ("tests/unit/engine/test_reads_that_go_backwards.py",),
    ),
    "the lag before a refusal is believed": Removal(
        "migration/engine/settlement.py",
        "await self._read_sides(run.number) if now >= shows_by else None",
        "await self._read_sides(run.number)",
        (MEANWHILE,),
    ),
    "the open attempt of a register whose token was refused": Removal(
        "migration/engine/failures.py",
        'exc.refused_by == "onprem" or not run.entry.changes_side or await',
        'exc.refused_by == "onprem" or run.entry.changes_side or await',
        (MEANWHILE,),
    ),
    "the ten seconds between two readings of an open call": Removal(
        "migration/engine/settlement.py",
        "recheck_at=min(probe.recheck_at, latest)",
        "recheck_at=probe.recheck_at",
        ("tests/unit/engine/test_second_calls.py",),
    ),
    "the time of a command whose worker is gone": Removal(
        "migration/engine/settlement.py",
        "        if now < ends_by:\n",
        "        if False:\n",
        ("tests/unit/engine/test_commands_of_dead_workers.py",),
    ),
    "the end of all that a command has begun": Removal(
        "migration/runtime/command_guard.py",
        "                os.kill(pid, signal.SIGKILL)\n",
        "                pass\n                refused.add(pid)\n",
        ("tests/unit/clients/test_commands.py",),
    ),
    "the request to stop between an intent and its call": Removal(
        "migration/engine/step_decider.py",
        "        if self._stop.requested and run.entry.changes_side and state.crossed_at is None:\n",
        "        if False:\n",
        ("tests/waves/test_stopping.py",),
    ),
    "the leases of dead workers, where a person types": Removal(
        "migration/app.py",
        "            await end_leases_of_dead_workers(ledger, queries, is_gone)\n",
        "            pass\n",
        ("tests/cli/test_dead_workers.py",),
    ),
    "the map of every error of the network": Removal(
        "migration/clients/http.py",
        "    except Exception as exc:\n        if isinstance(exc, NOT_SENT)",
        "    except httpx.HTTPError as exc:\n        if isinstance(exc, NOT_SENT)",
        ("tests/unit/clients/test_http.py",),
    ),
    "the bound of a body's depth": Removal(
        "migration/clients/json_values.py",
        "    if depth > MOST_DEPTH:\n",
        "    if False:\n",
        ("tests/unit/clients/test_json_values.py",),
    ),
    "the one deadline of a reading that is asked for again": Removal(
        "migration/clients/graph_http.py",
        "            by=by,\n            write=False,\n",
        "            by=self.within(READ_S),\n            write=False,\n",
        ("tests/unit/clients/test_deadline.py::test_fields_that_graph_does_not_know_are_part_of_the_call",),
    ),
    "the secrets of a call, in its answer": Removal(
        "migration/scrubbing/texts.py",
        "        text = KNOWN.without_secrets(replaced(text, self._known.spans(text), SIGN))\n"
        "        text = without_likely_secrets(text)\n",
        "        text = without_likely_secrets(text)\n",
        ("tests/unit/clients/test_scrubbed_answers.py",),
    ),
    "the PIN that is set before the pause where it would be too old after it": Removal(
        "migration/engine/step_decider.py",
        "if (stale := await self._obstacles.soon_stale(run)) is not None:",
        "if (stale := None) is not None:",
        ("tests/unit/engine/test_reopening.py",),
    ),
    "the room that a number waits for whose senders are paused": Removal(
        "migration/engine/runner.py",
        "if self._room.is_resting(migration_id) and look.serves_still:",
        "if self._room.is_resting(migration_id) and look.serves_still and look.seen is not None:",
        ("tests/unit/engine/test_runner.py",),
    ),
    "as many past their gate as the room can take back": Removal(
        "migration/engine/crossing_room.py",
        " and len(self._soon_back) < SOON_BACK_A_PLACE * self.most\n",
        "\n",
        ("tests/unit/engine/test_crossing_room.py",),
    ),
    "writes that wait leave less room to cross": Removal(
        "migration/engine/crossing_room.py",
        "        self.note_lag(self._write_lag(), LONGEST_WRITE_WAIT_S)\n",
        "",
        ("tests/unit/engine/test_write_lag.py",),
    ),
    "a read of the whole fleet goes to a thread": Removal(
        "state/sqlite_driver.py",
        "        if TAKES_LONG.get():\n",
        "        if False:\n",
        ("tests/unit/state/test_sqlite_driver.py",),
    ),
    "each worker's part of the room to cross": Removal(
        "migration/engine/crossing_room.py",
        "        return has_its_part and across",
        "        return across",
        ("tests/unit/engine/test_crossing_room.py",),
    ),
    "the wait of all uploads where Graph has refused one": Removal(
        "migration/clients/rate_budget.py",
        "            await self._budget.check_open_to_all(key)\n",
        "            pass\n",
        (CALLS + "::test_no_upload_is_sent_while_graph_takes_none_of_the_app",),
    ),
    "what another worker has met of a limit of the app": Removal(
        "migration/clients/rate_budget.py",
        "        closed = await self._store.closed_until(key)\n",
        "        closed = None\n",
        (CALLS + "::test_what_another_worker_knows_of_uploads_counts_for_this_one",),
    ),
    "the signature of a webhook": Removal(
        "migration/web/webhooks/receiving.py",
        '                if not is_signed(body, request.headers.get("x-hub-signature-256", ""), keys.app_secret):\n',
        "                if False:\n",
        (WEBHOOKS + "::test_what_the_app_has_not_signed_changes_nothing",),
    ),
    "the doubt that a report of Meta casts on a number": Removal(
        "state/proof.py",
        "    return any(one is not None for one in found) or bool(reports_of(position, Weight.DOUBT))\n",
        "    return False\n",
        ("tests/waves/test_half_dead_numbers.py::test_no_half_dead_number_is_green_and_every_live_one_is[150-16]",),
    ),
    "the wave that a report of Meta halts": Removal(
        "migration/waves/reported.py",
        "    return Meaning(report, halts, changes_pin, of_account, once)\n",
        "    return Meaning(report)\n",
        (
            "tests/web/test_webhook_effects.py::test_each_report_is_shown_and_halts_its_wave_where_no_number_should_cross",
        ),
    ),
    "what Meta reports of the account of a number in no wave": Removal(
        "migration/engine/obstacles.py",
        "        if found is None:\n            return None\n        return Held(",
        "        if True:\n            return None\n        return Held(",
        ("tests/journeys/test_kept_by_account.py",),
    ),
    "the nodes that have told of their queue": Removal(
        "migration/steps/drain.py",
        "        if queue.nodes < nodes:",
        "        if False:",
        ("tests/unit/steps/test_drain.py",),
    ),
    "the end of a restriction that is told after it": Removal(
        "state/queries/proofs.py",
        "        return bool(restriction_ends.are_due(",
        "        return False and bool(restriction_ends.are_due(",
        ("tests/journeys/test_kept_by_account.py",),
    ),
    "the time in which a profile's later calls may leave": Removal(
        "migration/steps/restore_profile.py",
        "        later = intent.send_by + LATER_S\n",
        "        later = intent.send_by\n",
        ("tests/unit/steps/test_slow_profile.py",),
    ),
    "what arrives while a call is out": Removal(
        "migration/engine/kept_numbers.py",
        "    if run.changed_meanwhile:\n        return None\n    shown",
        "    shown",
        ("tests/journeys/test_kept_numbers.py::test_a_pin_that_is_changed_while_a_call_is_out_is_not_sent",),
    ),
    "the statuses that wait until their message is on record": Removal(
        "state/ledger/waiting_webhooks.py",
        "    return and_(WebhookTable.applied_at.is_(None), ~early)\n",
        "    return WebhookTable.applied_at.is_(None)\n",
        ("tests/web/test_webhook_effects.py::test_what_was_said_before_the_answer_came_counts",),
    ),
    "the commit before a webhook is answered": Removal(
        "migration/web/webhooks/inbox.py",
        "        await post.stored\n",
        "",
        (WEBHOOKS + "::test_what_could_not_be_stored_is_not_acknowledged",),
    ),
    "the app under which a number may be named by a webhook": Removal(
        "state/ledger/webhooks.py",
        "            number = self.numbers.get((update.app_id, update.phone_number_id))\n",
        "            number = next((n for key, n in self.numbers.items() if update.phone_number_id in key), None)\n",
        (WEBHOOKS + "::test_what_is_not_of_this_fleet_leaves_no_row",),
    ),
    "the person at the phone, where an intent is committed": Removal(
        "state/ledger/attempts.py",
        "            conditions.append(readiness.somebody_ready(self._clock, new.person_for))\n",
        "            pass\n",
        (PHONES,),
    ),
    "the cool-down of codes": Removal(
        "migration/engine/person_at_the_phone.py",
        "        if cooling is not None:\n",
        "        if False:\n",
        (PHONES + "::test_no_call_is_made_while_the_number_cools_down",),
    ),
    "the signature of a room's link": Removal(
        "migration/operations/customer_rooms.py",
        "    good = hmac.compare_digest(token, token_of(_key(app), number_id, expires_at, version))\n",
        "    good = True\n",
        ("tests/journeys/test_rooms.py",),
    ),
    "the mark of a session in its forms": Removal(
        "migration/web/sessions.py",
        "        if session.ambient and not hmac.compare_digest(session.form_mark.encode(), mark.encode()):\n",
        "        if not mark.isprintable():\n",
        ("tests/web/test_sign_in.py::test_a_form_without_the_mark_of_its_session_changes_nothing",),
    ),
    "the site that a form comes from": Removal(
        "migration/web/site.py",
        '    if other or request.headers.get("sec-fetch-site") in ("cross-site", "same-site"):\n',
        "    if not allowed:\n",
        ("tests/web/test_sign_in.py::test_a_form_of_another_site_changes_nothing",),
    ),
    "the hosts under which pages are asked": Removal(
        "migration/web/guard.py",
        "        if host not in self._hosts:\n",
        '        if host == "nowhere":\n',
        ("tests/web/test_guard.py",),
    ),
    "the signature of a gateway's post": Removal(
        "migration/web/doors/json_gateway.py",
        "not hmac.compare_digest(expected.encode(), given.strip().lower().encode())",
        "expected is None",
        ("tests/web/test_doors.py::test_a_post_that_is_not_signed_now_changes_nothing",),
    ),
    "the time of a gateway's post": Removal(
        "migration/web/doors/json_gateway.py",
        "    if abs(post.now - int(at)) > MAY_BE_OFF_S:\n",
        "    if int(at) < 0:\n",
        ("tests/web/test_doors.py::test_a_post_that_is_not_signed_now_changes_nothing",),
    ),
    "the record of who saw a full number": Removal(
        "migration/web/number_page.py",
        '        await ledger.record("number", position.ref, session.name, reason, position.migration_id)\n',
        "        assert ledger is not None\n",
        ("tests/web/test_pages.py::test_the_full_number_is_shown_once_it_is_recorded",),
    ),
    "the lock of a rotation": Removal(
        "migration/vault/rotation_lock.py",
        "            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)\n",
        "            pass\n",
        ("tests/unit/vault/test_rotation_lock.py",),
    ),
    "the end of going back to the same step": Removal(
        "migration/engine/reopening.py",
        "    if times < MOST_REOPENED:\n",
        "    if True:\n",
        ("tests/unit/engine/test_reopening.py",),
    ),
    "the watch over a connection that was opened ahead": Removal(
        "migration/clients/opened_ahead.py",
        "        if await self._said_something():\n            await _close(stream)\n",
        "        if False:\n            await _close(stream)\n",
        ("tests/unit/clients/test_opened_ahead.py",),
    ),
    "the age of a proof that serves the next step": Removal(
        "migration/steps/both_sides.py",
        "cache.proof is not None and _is_recent(number, cache.graph):",
        "cache.proof is not None:",
        ("tests/unit/steps/test_both_sides.py",),
    ),
    "the fence that the write of a step raises for the next one": Removal(
        "state/ledger/moves.py",
        '            "fence": _FENCE_RAISED,\n',
        "",
        ("tests/journeys/test_kept_numbers.py::test_what_is_late_of_the_step_before_changes_nothing",),
    ),
    "readings of before a wait, which say nothing about the time after it": Removal(
        "migration/engine/kept_numbers.py",
        "cache = ReadingCache() if waits else run.number.reading_cache",
        "cache = run.number.reading_cache",
        ("tests/journeys/test_kept_numbers.py::test_a_number_that_waits_for_a_moment_is_kept_without_its_readings",),
    ),
    "the destruction of what a closed attempt had sealed": Removal(
        "state/ledger/needless_secrets.py",
        "        await tx.execute(_statement(kinds), values)\n",
        "        pass\n",
        ("tests/journeys/test_shredding.py",),
    ),
    "the version that a secret is bound to": Removal(
        "migration/vault/sealing.py",
        '    return context if version is None else f"{context}/version {version}"\n',
        "    return context\n",
        ("tests/unit/state/test_put_back.py", "tests/unit/vault/test_vault.py"),
    ),
    "the newest row of a secret": Removal(
        "migration/vault/store.py",
        "        if not row.newest:\n",
        "        if False:\n",
        ("tests/unit/state/test_put_back.py",),
    ),
    "the count of events in a number's row": Removal(
        "state/queries/record_check.py",
        '        self._chain.end(self._row["events"], self._row["events_head"])\n',
        "",
        (RECORD + "::test_a_cut_end_is_found_without_anchors",),
    ),
    "what the events say of attempts": Removal(
        "state/queries/record_check.py",
        "            self._attempts.take(event)\n",
        "",
        (RECORD,),
    ),
    "what the events say of a number's side and end": Removal(
        "state/queries/record_check.py",
        "            self._standing.take(event)\n",
        "",
        (RECORD + "::test_each_way_of_changing_the_record_is_found",),
    ),
    "what a wave's events say of its state": Removal(
        "state/queries/record_check.py",
        "            record.add_all(label, standing.differences(wave))\n",
        "            pass\n",
        (RECORD + "::test_each_way_of_changing_the_record_is_found",),
    ),
    "what the home's events say of facts and dispositions": Removal(
        "state/queries/record_check.py",
        "    for place, what in differences or ():\n",
        "    for place, what in ():\n",
        (RECORD + "::test_each_way_of_changing_the_record_is_found",),
    ),
    "the anchors beside the database": Removal(
        "migration/operations/record_audit.py",
        "    for name, anchored_links in (anchored.every or {}).items():\n",
        "    for name, anchored_links in ():\n",
        (RECORD,),
    ),
    "what the triggers do": Removal(
        "state/queries/record_check.py",
        "            if name in there and there[name] != needed[name]:\n",
        "            if name not in needed:\n",
        (RECORD,),
    ),
    "the key of the record": Removal(
        "state/record_key.py",
        "    return plain_hash(*parts) if key is None else key.hash(*parts)\n",
        "    return plain_hash(*parts)\n",
        (RECORD + "::test_a_chain_forged_anew_without_the_key_is_found",),
    ),
    "the reference in the place of a customer": Removal(
        "state/ledger/events.py",
        "    plain = without_persons(key, json.loads(json.dumps(facts, default=str)))\n",
        "    plain = json.loads(json.dumps(facts, default=str))\n",
        ("tests/cli/test_forget.py",),
    ),
    "the variables that a command does not get": Removal(
        "migration/clients/commands.py",
        "                env=environment,\n",
        "",
        ("tests/unit/clients/test_commands.py",),
    ),
    "the look at who may read a home's files": Removal(
        "migration/home/reader.py",
        "    check_private_files(settings)\n",
        "",
        ("tests/cli/test_private_files.py",),
    ),
    "the values in errors of the database": Removal(
        "state/database_errors.py",
        "        _hide_values(exc)\n",
        "        pass\n",
        ("tests/unit/state/test_errors_without_values.py",),
    ),
    "the one line that a value gets on a terminal": Removal(
        "migration/scrubbing/rendering.py",
        "    line = for_terminal(text, show_numbers=show_numbers)\n",
        "    return str(text)\n",
        ("tests/cli/test_hostile_text.py", "tests/unit/scrubbing/test_rendering.py"),
    ),
    "the overwriting of a code whose run failed": Removal(
        "flows/enter_code.py",
        "    on_failure=[_overwrite],\n",
        "",
        ("tests/flows/test_typed_codes.py",),
    ),
    "the one body that confirms an announcement": Removal(
        "migration/clients/traffic_hooks.py",
        "    if more != DONE or (body != DONE and in_flight is None):\n",
        "    if False:\n",
        ("tests/unit/clients/test_traffic_hooks.py",),
    ),
    "the address that a password belongs to": Removal(
        "migration/vault/bound_password.py",
        "    if given_for != address:\n",
        "    if False:\n",
        ("tests/unit/test_app.py",),
    ),
    "the comparison with the pinned certificate": Removal(
        "migration/clients/certificates.py",
        "            if not hmac.compare_digest(shown, pin.sha256):\n",
        "            if False:\n",
        ("tests/unit/clients/test_tls.py",),
    ),
    "what readings show of a number's service": Removal(
        "migration/engine/recorder.py",
        "    if after != before:\n",
        "    if False:\n",
        ("tests/unit/engine/test_recorder_advance.py",),
    ),
    "the doubt about Cloud after a number has left it": Removal(
        "migration/steps/read_both_sides.py",
        "if side is Side.CLOUD and number.service.doubt is Doubt.PRESENCE:",
        "if False:",
        ("tests/unit/steps/test_read_both_sides.py",),
    ),
    "the look at a number that is held": Removal(
        "migration/steps/both_sides.py",
        "    if onprem is not None and onprem.kind is Reading.SERVING:\n        number.service.add",
        "    if onprem is not None:\n        number.service.add",
        ("tests/waves/test_watch.py",),
    ),
    "the calls that a cutover needs": Removal(
        "state/ledger/call_budgets.py", "            if window.left < wanted:", "            if False:", (BUDGETS,)
    ),
    "the one number that crosses first": Removal(
        "state/ledger/call_budgets.py", "            if first is not None:", "            if False:", (BUDGETS,)
    ),
    "another one where the first number waits": Removal(
        "state/ledger/call_budgets.py", "_crossing_now(), moves, goes_on)", "_crossing_now(), moves)", (BUDGETS,)
    ),
    "the words of quality that a registered number has": Removal(
        "migration/clients/cloud_standing.py",
        'ONLINE = QUALITY | {"CONNECTED"}\n',
        'ONLINE = frozenset({"CONNECTED"})\n',
        ("tests/journeys/test_status_words.py::test_a_lost_answer_is_settled_by_the_platform",),
    ),
    "a callback queue of which a part cannot be read": Removal(
        "migration/clients/onprem_parsing.py",
        "    return (None if None in values else sum(value for value in values if value is not None)), len(rows)\n",
        "    return sum(value or 0 for value in values), len(rows)\n",
        ("tests/unit/clients/test_onprem.py",),
    ),
    "the other spellings of a number": Removal(
        "state/phone_spelling.py",
        '    return f"+{digits}" in spellings(one)\n',
        '    return f"+{digits}" == one\n',
        ("tests/unit/state/test_phone_spelling.py",),
    ),
    "the connection that a stopped client closes in the handshake": Removal(
        "migration/clients/onprem_reading.py",
        "        if isinstance(error, httpx.ConnectError) and _closed_in_handshake(error):\n            return True\n",
        "",
        ("tests/unit/clients/test_closed_ports.py",),
    ),
    "the wait of others while a failure of Graph stands": Removal(
        "state/ledger/gates.py",
        ", ~outside_failures.stopping().exists())\n",
        ")\n",
        ("tests/waves/test_outside_failures.py",),
    ),
    "the word by which Terms are told under any code": Removal(
        "migration/clients/graph_errors.py",
        "    if error_code in SHARED_WITH_TERMS and TERMS in details.lower():\n",
        "    if error_code is None and TERMS in details.lower():\n",
        ("tests/waves/test_outside_failures.py::test_terms_are_the_customer_s_whatever_code_says_so",),
    ),
    "the proxy that blocks no number": Removal(
        "migration/engine/failures.py",
        "isinstance(exc, Throttled | Intercepted)",
        "isinstance(exc, Throttled)",
        (
            "tests/waves/test_outside_failures.py::test_a_proxy_that_refuses_each_reading_blocks_no_number_and_all_go_on_after_it",
        ),
    ),
    "the fact that an answer refutes": Removal(
        "migration/engine/failures.py",
        "            changes=refuted_by(run, exc),\n",
        "",
        ("tests/journeys/test_refuted_facts.py",),
    ),
    "the PIN that an older inventory does not hand in again": Removal(
        "migration/fleet/importing.py",
        "    rows, older = await leave_known_pins(rows, sealer, known, app.secret_store)\n",
        "    older = []\n",
        ("tests/journeys/test_pins_on_cloud.py",),
    ),
    "the statement that an inventory does not revive": Removal(
        "state/ledger/terms.py",
        "update(CustomerTable).where(*unknown, not_refuted)",
        "update(CustomerTable).where(*unknown)",
        ("tests/journeys/test_terms.py",),
    ),
    "the one number that tries a PIN of Graph": Removal(
        "state/ledger/attempts.py",
        "            conditions.append(~untried_pins.being_tried(self._clock))\n",
        "            pass\n",
        ("tests/journeys/test_pins_on_cloud.py::test_of_numbers_that_register_at_once_one_tries_the_pin_of_graph",),
    ),
    "what is known of Terms before a client is stopped": Removal(
        "migration/steps/register_needs.py",
        "    if number.state.terms_known or number.state.crossed_at is not None:\n",
        "    if number.state.crossed_at is None or number.state.crossed_at is not None:\n",
        ("tests/journeys/test_terms.py",),
    ),
    "the display name before a client is stopped": Removal(
        "migration/steps/register_needs.py",
        "    if cloud.name_status not in UNAPPROVED_NAMES:\n",
        "    if cloud.name_status is not None or cloud.name_status is None:\n",
        ("tests/unit/steps/test_register_needs.py",),
    ),
    "the results that a dark number keeps": Removal(
        "migration/engine/step_run.py",
        "            keeps = dark and not contract.notifies_senders and entry.name in self.number.results\n",
        "            keeps = False\n",
        ("tests/journeys/test_dark_numbers.py",),
    ),
    "the sweep that a wait without a worker needs": Removal(
        "migration/waves/next_command.py",
        "    if wait_is_over(position, now):\n        return _command_to_move(position, now, position.ref)\n",
        "",
        ("tests/unit/operations/test_wording.py",),
    ),
    "the forecast of a dry run": Removal(
        "migration/cli/confirming.py",
        "    if not report.changes_nothing:\n        return after\n",
        "    return after\n",
        ("tests/cli/test_many_numbers.py::test_a_dry_run_names_no_command_that_moves_the_number",),
    ),
    "the master key that a home names": Removal(
        "migration/home/opening.py",
        "        if row.key_id not in given:\n",
        "        if row.key_id is None:\n",
        ("tests/cli/test_homes.py",),
    ),
    "the database that a home had": Removal(
        "migration/home/ownership.py",
        "    if found:\n        raise WrongHome(\n",
        "    if not settings:\n        raise WrongHome(\n",
        ("tests/cli/test_homes.py",),
    ),
    "the count by which an older copy of a database is noticed": Removal(
        "migration/home/ownership.py",
        "        behind = behind or row.openings < identity.openings\n",
        "        behind = False\n",
        ("tests/cli/test_backup_and_restore.py",),
    ),
    "the variables that nothing reads": Removal(
        "migration/known_variables.py",
        "        if near is not None or named is not None:\n",
        "        if name not in environment:\n",
        ("tests/cli/test_surroundings.py",),
    ),
    "the waves that a deploy finds late": Removal(
        "migration/waves/schedule.py",
        "    return _runs_of([row for row in waves if is_late(row, now)], board)\n",
        "    return ()\n",
        ("tests/flows/test_deployments.py",),
    ),
    "what a settled failure held goes on": Removal(
        "state/ledger/moves.py",
        "if moved.outside_failure is not None and _settles(move, moved):",
        "if False:",
        ("tests/unit/state/test_outside_failures.py",),
    ),
    "the reserve for numbers that cross": Removal(
        "state/ledger/call_budgets.py",
        "            elif window.left > kept:",
        "            elif window.left > 0:",
        (BUDGETS,),
    ),
    "the throttled WABA in the WHERE": Removal(
        "state/ledger/attempts.py", ", call_budgets.not_closed(self._clock)))", ", True))", (BUDGETS,)
    ),
    "the end of the wait of a throttled budget": Removal(
        "migration/clients/rate_budget.py",
        "        if now < account.closed_at:",
        "        if False:",
        ("tests/unit/clients/test_rate_budget.py",),
    ),
    "the admission before the gate's step": Removal(
        "migration/engine/step_decider.py",
        "        if (wait := await self._admission.why_wait(run)) is not None:",
        "        if (wait := None) is not None:",
        ("tests/journeys/test_call_limits.py",),
    ),
    "what a call makes of readings before it": Removal(
        "migration/engine/step_decider.py",
        "            run.number.shared.forget(run.number.state.phone_number_id)",
        "            pass",
        ("tests/journeys/test_shared_readings.py",),
    ),
    "the probe of an unanswered register": Removal(
        "migration/steps/register.py",
        "        if both.cloud.registered and not both.serving:\n"
        "            return Done(Evidence(both.facts(), side=Side.CLOUD))\n",
        "",
        (LOST + "::test_a_network_fault_never_registers_twice[sqlite-healthy-register-lost_answer]",),
    ),
    "the witnesses of NotDone": Removal(
        "migration/steps/register.py",
        "        if both.serving and absent:\n            return NotDone(both.facts())",
        "        if True:\n            return NotDone(both.facts())",
        ("tests/unit/steps/test_register.py",),
    ),
    "the wait for a call that may still be in flight": Removal(
        "migration/engine/settlement.py", "        if now < shows_by:\n", "        if False:\n", (TWO_WORKERS,)
    ),
    "the lease guard": Removal(
        "state/ledger/leases.py",
        "        return or_(\n            MigrationTable.lease_until.is_(None),",
        "        return or_(\n            MigrationTable.id > 0,\n            MigrationTable.lease_until.is_(None),",
        (TWO_WORKERS,),
    ),
    "the fence on what is recorded": Removal(
        "state/ledger/moves.py", '                MigrationTable.fence == bindparam("w_fence"),\n', "", (TWO_WORKERS,)
    ),
    "the sealed intent": Removal(
        "migration/vault/store.py",
        "        if not secret:\n            return None\n",
        "        if secret is not None:\n            return None\n",
        (KILLED + "::test_a_migration_killed_anywhere_still_registers_once[sqlite-0-with backup-after_send]",),
    ),
    "send_by": Removal(
        "migration/clients/transports.py",
        "        return self._boot_time() >= send_by",
        "        return False",
        (LATE + "::test_a_call_past_its_send_by_is_never_sent",),
    ),
    "the deadline of a call": Removal(
        "migration/clients/deadline.py",
        "    async with asyncio.timeout(left) as scope:",
        "    async with asyncio.timeout(None) as scope:",
        ("tests/unit/clients/test_deadline.py::test_a_call_ends_at_its_deadline[number-_says_nothing]",),
    ),
    "the lag before a repeatable call is made again": Removal(
        "migration/engine/settlement.py",
        "shows_by = attempt.answer_due + run.contract.settles_after",
        "shows_by = attempt.answer_due + run.contract.reads_lag",
        ("tests/unit/engine/test_second_calls.py::test_after_a_lost_answer[set_storage]",),
    ),
    "the list that has to advance": Removal(
        "migration/clients/graph_listing.py",
        "        if cursor in seen:",
        "        if False:",
        ("tests/unit/clients/test_graph_listing.py::test_a_list_that_comes_back_to_a_page_ends[cursors0]",),
    ),
    "the bound of a decompressed body": Removal(
        "migration/clients/bodies.py",
        "            piece = self._next(data)\n            self._length += len(piece)\n",
        "            piece = self._next(data)\n",
        ("tests/unit/clients/test_bodies.py::test_an_inner_bomb_that_gives_nothing_is_left_too",),
    ),
    "the gate in the WHERE": Removal(
        "state/ledger/attempts.py",
        "            conditions.append(gates.open_for(self._clock, new.fits_in))\n",
        "",
        ("tests/unit/state/test_gates.py",),
    ),
    "the epoch in the WHERE": Removal(
        "state/ledger/attempts.py",
        "            conditions.append(gates.sides_read())\n",
        "            pass\n",
        ("tests/unit/state/test_gates.py",),
    ),
    "the look for a register of somebody else": Removal(
        "migration/steps/foreign_register.py",
        "    return both.cloud.registered or came_up\n",
        "    return False\n",
        (TWO_HOMES,),
    ),
    "the wait for a move of somebody else": Removal(
        "migration/steps/foreign_register.py",
        "    if not _went_off_by_itself(both, number):\n",
        "    if True:\n",
        (TWO_HOMES + "::test_the_second_home_acts_while_the_move_of_the_first_is_under_way",),
    ),
    "the halt rule in the gate": Removal(
        "state/ledger/gates.py", "            halt_rule.within_rule(),\n", "", ("tests/unit/state/test_gates.py",)
    ),
    "the concurrency limit of a wave": Removal(
        "state/ledger/concurrency_limit.py",
        "moved.where(not_(stands_at_meta)).scalar_subquery() < WaveTable.concurrency",
        "moved.scalar_subquery() >= 0",
        ("tests/unit/state/test_concurrency_limit.py",),
    ),
    "the limit of numbers that stand at Meta": Removal(
        "state/ledger/concurrency_limit.py",
        "moved.scalar_subquery() < 2 * WaveTable.concurrency",
        "moved.scalar_subquery() >= 0",
        ("tests/unit/state/test_concurrency_limit.py",),
    ),
    "the budget in the WHERE": Removal(
        "state/ledger/attempts.py",
        "        if new.budget is not None:\n            conditions.append(self._budget_left(new.budget))\n",
        "",
        (TWO_WORKERS,),
    ),
    "the second reading of both sides after a refusal": Removal(
        "migration/engine/failures.py",
        "            return await self._read_sides(run.number)\n        except",
        "            return Evidence(side=run.number.state.side)\n        except",
        ("tests/unit/engine/test_failures.py",),
    ),
    "the override that a bare subscription would remove": Removal(
        "migration/steps/subscribe.py",
        "            if app.app_id == number.state.app_id:",
        "            if False:",
        (TWO_WORKERS,),
    ),
    "stale inputs before a cutover": Removal(
        "migration/engine/obstacles.py", "            if stale is not None:", "            if False:", (TWO_WORKERS,)
    ),
    "the lease in the name of a backup's file": Removal(
        "migration/vault/store.py",
        "ShelfFile(owner, name, lease))",
        "ShelfFile(owner, name, (lease[0], 1)))",
        (TWO_WORKERS + "::test_a_worker_that_lost_its_lease_while_its_backup_was_made_replaces_no_other",),
    ),
    "the PIN that was refused": Removal(
        "migration/engine/recorder.py",
        "        yield PinForgotten()\n",
        "        pass\n",
        (BACK + "::test_a_number_taken_down_by_a_wrong_pin_is_recovered",),
    ),
}


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the code. Its compiled modules stay from case to case: to compile all of them costs seconds."""
    folder = tmp_path_factory.mktemp("copied")
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / part)
    return folder


@contextmanager
def _removed(folder: Path, removal: Removal) -> Iterator[None]:
    """The copy without the safeguard; as it was afterwards."""
    path = folder / removal.file
    compiled, source = Path(cache_from_source(path)), path.read_text()
    try:
        path.write_text(source.replace(removal.code, removal.instead))
        compiled.unlink(missing_ok=True)  # Python tells a newer source by its second and its length, which may be equal
        yield
    finally:
        path.write_text(source)
        compiled.unlink(missing_ok=True)


def _run(folder: Path, tests: tuple[str, ...], which: str = "not postgres") -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    argv = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-m", which, *tests]
    env = inherited | {"PYTHONPATH": str(folder)}
    return subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.parametrize("name", REMOVALS)
def test_the_code_to_remove_is_in_its_file_once(name: str) -> None:
    removal = REMOVALS[name]
    assert (ROOT / removal.file).read_text().count(removal.code) == 1, f"{removal.file} has changed; update REMOVALS"


@pytest.mark.slow
@pytest.mark.parametrize("name", REMOVALS)
def test_a_test_fails_without_the_safeguard(copied: Path, name: str) -> None:
    removal = REMOVALS[name]
    with _removed(copied, removal):
        result = _run(copied, removal.noticed_by)
    assert result.returncode == 1, result.stdout[-2000:] + result.stderr[-2000:]


@pytest.mark.slow
def test_the_same_tests_pass_with_every_safeguard(copied: Path) -> None:
    """That it is the removal which fails, and not the copy. The slow ones pass in their own place."""
    tests = tuple(dict.fromkeys(test for removal in REMOVALS.values() for test in removal.noticed_by))
    result = _run(copied, tests, "not postgres and not slow and not crash")
    assert result.returncode == 0, result.stdout[-3000:]
