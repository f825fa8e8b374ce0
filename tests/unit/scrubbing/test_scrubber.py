"""One scrubber for every text from outside: what an answer may quote, in the spellings that it may have."""

import re
import unicodedata
from time import process_time

import pytest

from migration.scrubbing.texts import SHOWN, OutsideBody, OutsideText, Scrubber, once_more
from tests.unit.scrubbing.spellings import PARTS, SPELLINGS, ways_to_write

TOKEN, PROOF = "EAAGm0PX4ZCpsBAKZCbx9QZDZD7yQ", "9f" * 32
PASSWORD, PIN, CODE = "Tr0ub4dor&3/horse~x", "482913", "905417"
BACKUP_PASSWORD, HOOK_SECRET = "bkp:Zq8?31xW/ ü", "whsec_7Kd81+Lm/20=="
SECRETS = (TOKEN, PROOF, PASSWORD, PIN, CODE, BACKUP_PASSWORD, HOOK_SECRET)
NUMBER = "+34657786453"
PHONE_NUMBER_ID = "106540352242922"
QUOTES = (
    "Malformed access token {}",
    "{} is not accepted",
    "GET /v25.0/1?access_token={}&x=1 failed",
    '{{"pin":"{}","x":1}} (#190)',
    "<p>{}</p>",
)


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("quote", QUOTES)
def test_a_secret_of_the_call_is_taken_out(secret: str, spelling, quote: str) -> None:
    shown = Scrubber(SECRETS).text(quote.format(spelling(secret)))
    assert_nothing_of(secret, spelling(secret), shown)
    assert "•••" in shown


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
@pytest.mark.parametrize("secret", [TOKEN, PROOF, PASSWORD])
def test_a_part_of_a_secret_is_taken_out(secret: str, part) -> None:
    shown = Scrubber([secret]).text(f"cannot parse {part(secret)}")
    assert_nothing_of(secret, part(secret), shown)


def test_a_secret_cut_by_the_end_of_the_text_is_taken_out() -> None:
    shown = Scrubber([TOKEN]).text("x " * 1995 + TOKEN)
    assert TOKEN[:4] not in shown


def test_a_short_secret_is_taken_out_where_it_is_a_word() -> None:
    assert Scrubber(["root"]).text("user root: the route is closed") == "user •••: the route is closed"


@pytest.mark.parametrize("way", ways_to_write(NUMBER))
@pytest.mark.parametrize("quote", ["the number {} is not yours", "{}", "({})", "no container {}."])
def test_a_number_is_masked(way: str, quote: str) -> None:
    shown = Scrubber().text(quote.format(ways_to_write(NUMBER)[way]))
    assert "657786453" not in re.sub(r"\D", "", shown)
    assert "57786" not in re.sub(r"\D", "", shown)


@pytest.mark.parametrize("number", ["+525512345678", "+5215512345678", "+6591234567", "+4520261126", "+12025550143"])
def test_a_number_of_any_country_is_masked(number: str) -> None:
    for way, text in ways_to_write(number).items():
        shown = Scrubber(numbers=[number]).text(text)
        assert number[3:] not in re.sub(r"[^0-9]", "", shown), way


@pytest.mark.parametrize(
    "text",
    [
        "(#131009) Parameter value is not valid",
        "code 133005, subcode 2388091, HTTP 500",
        "until 2026-11-26 21:00:05 UTC",
        "2025-10-23T08:00:00+0000",
        "Session has expired on Friday, 01-Jan-26 08:00:00 PST.",
        "wait 300 seconds; 10 calls in 72 hours",
        "connection to 192.168.101.122:9090 refused",
        "biz_link_on_prem_reg_blocked",
        "exit code 127: docker-compose: command not found",
        f"no such object {PHONE_NUMBER_ID} at /v25.0/{PHONE_NUMBER_ID}/register",
    ],
)
def test_what_people_need_stays(text: str) -> None:
    assert Scrubber(SECRETS, ids=[PHONE_NUMBER_ID]).text(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "a\x1b[31mb",
        "a\x1b]0;title\x07b",
        "a\x9b2Jb",
        "a\u202eb",
        "a\u2066b\u2069",
        "a\u200b\ufeffb",
        "a\ud800b",
        "a\x00\x08\x7fb",
    ],
)
def test_characters_that_cannot_be_seen_are_taken_out(text: str) -> None:
    assert Scrubber().text(text) == "ab"


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\u2028", "\u2029", "\x85", "\v", "\\n", "%0a", "&#10;"])
def test_a_break_between_lines_becomes_a_space(line_break: str) -> None:
    assert Scrubber().text(f"a{line_break}b") == "a b"


def test_a_long_text_is_cut_with_a_sign() -> None:
    shown = Scrubber().text("word " * 1000)
    assert len(shown) <= SHOWN
    assert shown.endswith("... (cut)")


HUGE = [
    "a",
    "%41",
    "&#49;",
    "+1 ",
    "https://",
    "\\u0041",
    "A1b2",
    "\x1b]",
    "( ( ",
    "\ufdfa",
    "0x",
    "1:",
    "pin=",
    "EAA",
    "Bearer ",
]


@pytest.mark.parametrize("piece", HUGE)
def test_its_work_is_bounded(piece: str) -> None:
    huge = piece * 1_000_000
    started = process_time()
    shown = Scrubber([TOKEN, PIN]).text(huge)
    assert process_time() - started < 2
    assert len(shown) <= SHOWN


@pytest.mark.parametrize("odd", [None, 0, float("nan"), b"\xff\xfe", [], {"a": 1}, object(), "\ud800" * 10, "%" * 50])
def test_it_takes_anything(odd: object) -> None:
    assert Scrubber([TOKEN]).text(odd).isprintable()


@pytest.mark.parametrize("text", ["Malformed access token " + TOKEN, NUMBER, "word " * 1000, "https://u:p@host/p?a=1"])
def test_a_scrubbed_text_stays_what_it_is(text: str) -> None:
    shown = Scrubber(SECRETS).text(text)
    assert Scrubber().text(shown) == shown
    assert once_more(shown) == shown


def test_a_text_from_outside_shows_nothing_of_itself() -> None:
    outside = OutsideText(TOKEN)
    assert TOKEN not in f"{outside} {outside!r} {outside!s} {[outside]} {outside:>5}"
    with pytest.raises(TypeError):
        outside.__reduce__()


def test_a_body_is_scrubbed_all_over_but_for_named_fields() -> None:
    body = {
        "id": PHONE_NUMBER_ID,
        "about": f"call {NUMBER}",
        "error": {"message": f"bad {TOKEN}", "list": [PIN, {NUMBER: NUMBER}], "code": 190, "number": int(PIN)},
    }
    scrubbed = Scrubber(SECRETS).body(OutsideBody(body))
    assert TOKEN not in str(scrubbed)
    assert PIN not in str(scrubbed)
    assert NUMBER not in str(scrubbed)
    assert scrubbed["error"]["code"] == 190


def test_the_last_net_knows_the_secrets_of_recent_calls() -> None:
    Scrubber([TOKEN, "pin-of-77"], ids=[PHONE_NUMBER_ID])
    assert once_more(f"{TOKEN[:12]} pin-of-77 {NUMBER} {PHONE_NUMBER_ID}") == f"••• ••• +346•••6453 {PHONE_NUMBER_ID}"


def assert_nothing_of(secret: str, spelled: str, shown: str) -> None:
    plain = unicodedata.normalize("NFKC", shown)
    letters = "".join(char for char in plain.lower() if char.isalnum())
    hidden = "".join(char for char in secret.lower() if char.isalnum())
    parts = [hidden] if len(hidden) < 8 else [hidden[at : at + 8] for at in range(len(hidden) - 7)]
    assert not any(part in letters for part in parts), shown
    assert len(spelled) < 8 or spelled not in shown


@pytest.mark.parametrize("word", ["CONNECTED", "on_premise", "x", "EAB", "Übergabe"])
def test_a_word_of_an_answer_stays_as_it_is(word: str) -> None:
    assert Scrubber(["a-secret-1", "another"]).text(word) == word


@pytest.mark.parametrize(
    "word", ["correcthorsebattery", "CORRECTHORSEBATTERY", "is_correct_horse_battery_", "EAAaBcDeFg"]
)
def test_a_word_that_is_or_holds_a_secret_does_not(word: str) -> None:
    assert "horse" not in Scrubber(["correcthorsebattery"]).text(word).lower()
    assert "BcDe" not in Scrubber(["correcthorsebattery"]).text(word)
