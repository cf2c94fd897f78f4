"""Where settings come from, and which cannot be."""

from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from rtflow.server import Settings


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"RTFLOW_{name.upper()}", raising=False)


def test_the_defaults_are_a_server_for_this_machine() -> None:
    settings = Settings()
    assert (settings.app, settings.database) == ("demo", "rtflow.db")
    assert (settings.host, settings.port) == ("127.0.0.1", 8080)
    assert settings.key is None


def test_arguments_win_over_the_environment_which_wins_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "rtflow.toml"
    config.write_text('app = "file"\nport = 1\nmax_subscriptions = 3\nsecret = "from the file"\n')
    monkeypatch.setenv("RTFLOW_APP", "environment")
    monkeypatch.setenv("RTFLOW_PORT", "2")
    monkeypatch.setenv("RTFLOW_USER", "alice")  # the client's, none of our business
    settings = Settings(config=config, app="argument")
    assert (settings.app, settings.port, settings.max_subscriptions) == ("argument", 2, 3)
    assert settings.key == "from the file"
    monkeypatch.setenv("RTFLOW_CONFIG", str(config))
    assert Settings().limits.subscriptions == 3


def test_the_secret_is_never_shown() -> None:
    settings = Settings(secret=SecretStr("hush"))
    assert settings.key == "hush"
    assert "hush" not in f"{settings!r} {settings} {settings.model_dump()}"
    with pytest.raises(ValidationError) as refused:
        Settings(secret=SecretStr("hush"), port=-1)
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "example.org"])
def test_without_a_secret_only_this_machine_is_served(host: str) -> None:
    with pytest.raises(ValidationError, match="set a secret, or listen on"):
        Settings(host=host)
    assert Settings(host=host, secret=SecretStr("s")).host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_every_name_of_this_machine_will_do(host: str) -> None:
    assert Settings(host=host).host == host


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET", ""),
        ("APP", ""),
        ("PORT", "65536"),
        ("PORT", "http"),
        ("DATABASE", "postgresql://localhost/rtflow"),
        ("MAX_FRAME_BYTES", "2000000"),
        ("TOKEN_LEEWAY", "-1"),
        ("PUBLIC_URL", "chat.example.org"),
        ("PUBLIC_URL", "https://chat.example.org/?x"),
        ("MAX_FILE_BYTES", "0"),
        ("CONFIG", "/nowhere/rtflow.toml"),
    ],
)
def test_nonsense_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"RTFLOW_{name}", value)
    with pytest.raises(ValueError, match=r"(?i)" + name.split("_")[0]):
        Settings()


def test_a_setting_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    config = tmp_path / "rtflow.toml"
    config.write_text("prot = 8080\n")
    with pytest.raises(ValueError, match=r"rtflow\.toml.*'prot'"):
        Settings(config=config)


def test_a_file_that_is_not_toml_is_named(tmp_path: Path) -> None:
    config = tmp_path / "rtflow.toml"
    config.write_text("port = = 1\n")
    with pytest.raises(ValueError, match=r"rtflow\.toml.*line 1"):
        Settings(config=config)


def test_files_are_beside_the_database_unless_they_are_put_elsewhere(tmp_path: Path) -> None:
    assert Settings(database="chat.db").file_folder == Path("chat.db-files")
    assert Settings(database=":memory:").file_folder is None
    assert Settings(database=":memory:", files=tmp_path).file_folder == tmp_path
    assert Settings(database="chat.db", files=tmp_path).file_folder == tmp_path


def test_endings_of_files_are_taken_as_people_write_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RTFLOW_FILE_TYPES", '[".PNG", "pdf"]')
    assert Settings().file_types == frozenset({"png", "pdf"})


def test_every_setting_says_what_it_is() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
