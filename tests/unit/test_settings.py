"""Settings: each mistake is reported in one line that names its place and shows no secret."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from migration.errors import BadSetting
from migration.home.admin_file import SecretSource, read_admin_settings
from migration.settings import Settings, read_settings
from migration.vault.private_file import write_private
from migration.vault.sealing import MasterKeys, new_master_key


def settings_with_key_file(folder: Path, content: str | bytes, mode: int = 0o600) -> Settings:
    path = folder / "master.key"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(mode)
    return Settings(home=folder)


# -- the key


def test_the_key_file_has_the_key_and_older_keys(tmp_path: Path) -> None:
    keys = [new_master_key().get_secret_value() for _ in range(3)]
    loaded = settings_with_key_file(tmp_path, "\n".join(keys) + "\n").keys()
    assert loaded == MasterKeys(SecretStr(keys[0]), (SecretStr(keys[1]), SecretStr(keys[2])))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o620, 0o601])
def test_a_key_file_that_others_may_read_or_write_is_refused(tmp_path: Path, mode: int) -> None:
    settings = settings_with_key_file(tmp_path, new_master_key().get_secret_value(), mode)
    with pytest.raises(BadSetting, match="chmod 600"):
        settings.keys()


@pytest.mark.parametrize("content", ["", "\n", "  \n\n", b"\xff\xfe\x00"])
def test_a_damaged_key_file_is_a_bad_setting(tmp_path: Path, content: str | bytes) -> None:
    settings = settings_with_key_file(tmp_path, content)
    with pytest.raises(BadSetting, match=r"master\.key"):
        settings.keys()


def test_a_missing_key_names_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match="cutover init"):
        Settings(home=tmp_path).keys()


def test_a_folder_in_place_of_the_key_file_is_a_bad_setting(tmp_path: Path) -> None:
    (tmp_path / "master.key").mkdir(mode=0o700)
    with pytest.raises(BadSetting, match=r"master\.key"):
        Settings(home=tmp_path).keys()


def test_the_environment_overrides_the_key_file_and_adds_older_keys(tmp_path: Path) -> None:
    first, second = new_master_key(), new_master_key()
    settings = Settings(home=tmp_path, master_key=first, older_master_keys=f" {second.get_secret_value()} , ")
    assert settings.keys() == MasterKeys(first, (second,))
    assert first.get_secret_value() not in repr(settings)


def test_older_keys_are_not_shown(tmp_path: Path) -> None:
    older = new_master_key().get_secret_value()
    settings = Settings(home=tmp_path, older_master_keys=older)
    assert older not in repr(settings)
    assert older not in str(settings)


# -- the environment


def test_a_bad_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUTOVER_GRAPH_VERSION", "latest")
    with pytest.raises(BadSetting, match=r"^CUTOVER_GRAPH_VERSION: "):
        read_settings()


# -- the admin file

MISTAKES = {
    "not TOML": ("[profiles", "is not TOML"),
    "no such part": ("[profile.main]\napp_id = '1'", "profile: "),
    "no app": ("[profiles.main]\ntoken = { env = 'T' }", r"profiles\.main\.app_id"),
    "an app that is no id": ("[profiles.main]\napp_id = 'x'\ntoken = { env = 'T' }", r"profiles\.main\.app_id"),
    "a token in the file": ("[profiles.main]\napp_id = '1'\ntoken = 'EAAG-secret'", r"profiles\.main\.token"),
    "a secret in two places": (
        "[profiles.main]\napp_id = '1'\ntoken = { env = 'T', file = 'f' }",
        r"profiles\.main\.token.*either",
    ),
    "a hook without an address": ("[hooks.a]\nurl = 'ftp://x'\nsecret = { env = 'S' }", r"hooks\.a\.url"),
    "a hook whose port is a word": (
        "[hooks.a]\nurl = 'https://x:port'\nsecret = { env = 'S' }",
        r"hooks\.a\.url: the address has no port from 1 to 65535 after the colon",
    ),
    "a hook whose port is none": (
        "[hooks.a]\nurl = 'https://x:99999'\nsecret = { env = 'S' }",
        r"hooks\.a\.url: the address has no port",
    ),
    "a hook with a space": ("[hooks.a]\nurl = 'https://x y'\nsecret = { env = 'S' }", r"hooks\.a\.url: .* a space"),
    "a hook without a host": ("[hooks.a]\nurl = 'https://'\nsecret = { env = 'S' }", r"hooks\.a\.url: .* host name"),
    "a command that is a line": ("[commands.stop]\nargv = 'docker stop x'", r"commands\.stop\.argv"),
    "a command of nothing": ("[commands.stop]\nargv = []", r"commands\.stop\.argv"),
    "a recipient without its plus": ("[smoke]\nto = '15550104321'", r"smoke\.to: give a number with its plus"),
    "a recipient that is none": ("[smoke]\nto = '+0 12'", r"smoke\.to: give a number with its plus"),
    "a hook's command with a field of pauses alone": (
        "[hooks.a]\ncommand = 'tell'\n[commands.tell]\nargv = ['x', '{after_deadline}']",
        r"hooks\.a\.command: in \[commands\.tell\], \{after_deadline\} is no field of every message",
    ),
    "a hook's command that cannot end a pause": (
        (
            "[hooks.a]\ncommand = 'tell'\n[commands.tell]\nargv = ['x', '{event}']\n"
            "arguments = { event = 'pause_sends|switch_route' }"
        ),
        "the pattern of event does not take resume_sends",
    ),
    "a hook's command without a pattern": (
        "[hooks.a]\ncommand = 'tell'\n[commands.tell]\nargv = ['x', '{e164}']",
        r"\{e164\} has no pattern",
    ),
    "a pattern that is none": ("[commands.stop]\nargv = ['x']\narguments = { a = '[' }", "not a regular expression"),
}


def test_a_recipient_is_read_with_separators_and_digits_of_every_script(tmp_path: Path) -> None:
    path = tmp_path / "cutover.toml"
    path.write_text("[smoke]\nto = '\u2066+1 (555) 010-٤٣٢١\u2069'")
    assert read_admin_settings(path).smoke.to == "+15550104321"


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_the_admin_file_is_one_line_with_its_place(tmp_path: Path, mistake: str) -> None:
    content, pattern = MISTAKES[mistake]
    path = tmp_path / "cutover.toml"
    path.write_text(content)
    with pytest.raises(BadSetting, match=pattern) as raised:
        read_admin_settings(path)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)
    assert "EAAG-secret" not in str(raised.value)


def test_an_admin_file_that_is_not_text_is_a_bad_setting(tmp_path: Path) -> None:
    path = tmp_path / "cutover.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadSetting, match=r"cutover\.toml"):
        read_admin_settings(path)


def test_a_missing_admin_file_names_the_command_that_writes_one(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match="cutover init"):
        read_admin_settings(tmp_path / "cutover.toml")


# -- where secrets are


def test_a_secret_comes_from_its_file_or_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_private(tmp_path / "token", "EAAG-from-file\n")
    monkeypatch.setenv("A_TOKEN", "EAAG-from-env")
    assert SecretSource(file=Path("token")).read("it", tmp_path) == SecretStr("EAAG-from-file")
    assert SecretSource(env="A_TOKEN").read("it", tmp_path) == SecretStr("EAAG-from-env")


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe"])
def test_an_empty_or_unreadable_secret_file_is_a_bad_setting(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "token").write_bytes(content)
    with pytest.raises(BadSetting, match=r"profile main, token"):
        SecretSource(file=Path("token")).read("profile main, token", tmp_path)


def test_a_missing_secret_names_its_variable_or_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("A_TOKEN", raising=False)
    with pytest.raises(BadSetting, match="A_TOKEN"):
        SecretSource(env="A_TOKEN").read("it", tmp_path)
    with pytest.raises(BadSetting, match="nowhere"):
        SecretSource(file=Path("nowhere")).read("it", tmp_path)


@pytest.mark.parametrize(
    "source",
    [
        SecretSource(env="EAAGm0PX4ZCpsBAKZCn1"),
        SecretSource(env="my-verify-token"),
        SecretSource(file=Path("EAAGm0PX4ZCpsBAKZCn1")),
        SecretSource(file=Path("secrets/9f86d081884c7d659a2feaa0c55ad015")),
    ],
    ids=str,
)
def test_a_secret_in_the_place_of_its_name_is_not_shown(tmp_path: Path, source: SecretSource) -> None:
    with pytest.raises(BadSetting, match=r"profile main, token: the .* that it names \(not shown") as raised:
        source.read("profile main, token", tmp_path)
    given = source.env or (source.file or Path()).name
    assert given not in str(raised.value)


@pytest.mark.parametrize("url", ["https://graph.test:port", "graph.test", "https://graph.test:99999", "https://g?x=1"])
def test_a_bad_address_of_graph_is_one_line(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUTOVER_GRAPH_URL", url)
    with pytest.raises(BadSetting, match=r"^CUTOVER_GRAPH_URL: the address [^\n]*$"):
        read_settings()


@pytest.mark.parametrize("name", ["HOME", "BACKUP_DIR", "ADMIN_FILE", "KEY_FILE"])
@pytest.mark.parametrize("given", ["", " "])
def test_an_empty_path_is_not_the_folder_of_whoever_types(
    name: str, given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"CUTOVER_{name}", given)
    with pytest.raises(BadSetting, match=f"^CUTOVER_{name}: it is empty"):
        read_settings()


@pytest.mark.parametrize(
    ("name", "what", "why"),
    [
        ("HOME", "file", "is no folder"),
        ("BACKUP_DIR", "file", "is no folder"),
        ("ADMIN_FILE", "folder", "is a folder"),
        ("KEY_FILE", "folder", "is a folder"),
    ],
)
def test_a_folder_is_no_file_and_a_file_no_folder(
    name: str, what: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No line advises to take the rights of `/etc` from all others."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    monkeypatch.setenv(f"CUTOVER_{name}", str(tmp_path / what))
    with pytest.raises(BadSetting, match=why):
        read_settings()
