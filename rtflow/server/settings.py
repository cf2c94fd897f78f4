"""Settings: all that can be chosen, with its default, its unit and what it is for.

From, in falling order: arguments, `RTFLOW_<NAME>` in the environment, a TOML file (`config`), the
default.

Not here: what a setting does (the room that gets it). Invariant: settings that exist are valid
together.
"""

import os
import re
from ipaddress import ip_address
from pathlib import Path
from typing import Self, TypeVar
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from rtflow.server.domain.rules import Rules
from rtflow.server.gateway.limits import Limits
from rtflow.server.http.limits import HttpLimits
from rtflow.server.rates import Rate
from rtflow.wire.codec import MAX_FRAME

__all__ = ["Settings"]

MEMORY = ":memory:"

N = TypeVar("N", int, float)


class Settings(BaseSettings):
    """What a server is told. Every field is also `RTFLOW_<NAME>` in the environment."""

    model_config = SettingsConfigDict(
        env_prefix="RTFLOW_",
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        validate_default=True,
        hide_input_in_errors=True,  # one of them is the secret
    )

    config: Path | None = None
    """A TOML file with more settings, under their names here."""

    app: str = Field(default="demo", min_length=1, max_length=255)
    """The id of the app that is served."""

    database: str = Field(default="rtflow.db", min_length=1)
    """The file of the database, made when it is not there; `:memory:` keeps nothing."""

    files: Path | None = None
    """The folder of uploaded files, made when it is not there. None: that of the database with
    `-files` behind its name; for `:memory:` one that is removed at the end."""

    public_url: str | None = None
    """Where clients reach this server, such as `https://chat.example.org`: what links to uploaded
    files begin with. None: what the request of the upload was sent to."""

    secret: SecretStr | None = None
    """The key that tokens are signed with (HS256). None is development mode: no tokens, and only
    clients on this machine."""

    allowed_origins: frozenset[str] | None = None
    """Origins of web pages that may use the server, such as `["https://shop.example.org"]`: those
    of others can neither connect nor read. Programs that are no browsers have none, and may. None:
    any page, which is safe because nothing is done without a token that only the right page has; in
    development mode there is no token, so there it means any page that this machine has open."""

    metrics_token: SecretStr | None = None
    """What has to be shown to read `/metrics` (`Authorization: Bearer ...`). None: nothing, but
    only this machine may read them, without a proxy between."""

    host: str = "127.0.0.1"
    """The address to listen on. The default stands for ::1 as well."""

    port: int = Field(default=8080, ge=0, le=65535)
    """The port to listen on; 0 takes a free one."""

    token_leeway: float = Field(default=5, ge=0, le=300)
    """Seconds by which the clocks of token makers may differ from ours."""

    client_side_user_syncing: bool = True
    """Whether clients may create and edit users."""

    client_side_conversation_syncing: bool = True
    """Whether clients may create and edit conversations and participants."""

    max_frame_bytes: int = Field(default=MAX_FRAME, ge=1024, le=MAX_FRAME)
    """Bytes of one websocket message of a client; a longer one closes the connection with 1009.
    Kept by `rtflow serve`; another host has a setting of its own."""

    max_custom_bytes: int = Field(default=65_536, ge=2, le=512 * 1024)
    """Bytes of the whole `custom` map of one thing, as JSON."""

    max_message_length: int = Field(default=10_000, ge=1, le=100_000)
    """Characters of text in one message."""

    max_subscriptions: int = Field(default=200_000, ge=1)
    """Things that one connection may watch at a time, about 450 bytes each. A conversation that our
    client watches is up to three: its state, what is said in it, and who said it last."""

    max_subscriptions_per_user: int = Field(default=1_000_000, ge=1)
    """Things that one user may watch at a time, on all connections."""

    max_connections_per_user: int = Field(default=100, ge=1)
    """Connections that one user may have at a time."""

    max_connections_per_address: int | None = Field(default=None, ge=0)
    """Connections of one address at a time (IPv6: of one /64; this machine: any number). 0: any
    number. None: 1,000 with a secret, any number in development mode."""

    max_new_connections_per_second: float | None = Field(default=None, ge=0, le=100_000)
    """New connections of all clients together, after a rest as many at once. A handshake beyond it
    is refused with 503 and `Retry-After`, to each client another time. 0: any number. None: 200
    with a secret, any number in development mode."""

    max_new_connections_per_second_per_address: float | None = Field(default=None, ge=0, le=100_000)
    """The same for each address. 0: any number. None: 50 with a secret, any number in development
    mode."""

    max_requests_per_second: float | None = Field(default=None, ge=0, le=100_000)
    """Requests of one connection, after a rest ten times as many at once (that is what a client
    needs that comes back and reads everything again). One more is refused with 429, and clients try
    again by themselves. 0: any number. None: 100 with a secret, any number in development mode."""

    max_requests_per_second_per_user: float | None = Field(default=None, ge=0, le=100_000)
    """The same for all connections of a user together, and his searches and uploads. 0: any number.
    None: 300 with a secret, any number in development mode."""

    max_requests_in_flight: int = Field(default=1_000, ge=1)
    """Unanswered requests of one connection; with so many, nothing more is read from it."""

    max_outbox_bytes: int = Field(default=4 * 1024 * 1024, ge=64 * 1024)
    """Bytes that may wait for a client that does not read, before it is cut off."""

    authentication_timeout: float = Field(default=10, gt=0)
    """Seconds that a connection may be without a valid token."""

    silence_timeout: float = Field(default=60, gt=0)
    """Seconds after which a connection that gives no sign of life is cut, at the latest. Clients
    need not do anything for it but what they do anyway (answer pings; under another host than
    `rtflow serve`: send a request, if only `GET /ping`)."""

    offline_delay: float = Field(default=2, ge=0, le=60)
    """Seconds for which a user counts as connected after his last connection has ended, so that a
    page that is reloaded does not flap."""

    typing_timeout: float = Field(default=10, gt=0, le=600)
    """Seconds after which somebody who is marked as typing, and not again, counts as having
    stopped."""

    translation_timeout: float = Field(default=8, gt=0)
    """Seconds that a translation may take, waiting for its turn included."""

    max_translations: int = Field(default=16, ge=1, le=1000)
    """Requests for translation that are at work at a time."""

    max_file_bytes: int = Field(default=50 * 1024 * 1024, ge=1, le=2**40)
    """Bytes of one uploaded file."""

    file_types: frozenset[str] | None = None
    """Endings that names of uploaded files may have, such as `["png", "pdf"]`. None: any."""

    upload_timeout: float = Field(default=600, gt=0)
    """Seconds that an upload may take."""

    max_uploads_per_user: int = Field(default=5, ge=1)
    """Uploads that one user may have under way; one more is refused with 429."""

    max_searches_per_user: int = Field(default=10, ge=1)
    """Searches that one user may have under way; one more is refused with 429."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, environment, file."""
        config = init_settings().get("config") or os.environ.get("RTFLOW_CONFIG")
        if not config:
            return init_settings, env_settings
        if not Path(config).is_file():
            raise ValueError(f"there is no configuration file {config}")
        try:
            file = TomlConfigSettingsSource(settings_cls, Path(config))
        except ValueError as exc:  # not TOML, or not UTF-8
            raise ValueError(f"the configuration file {config} cannot be read: {exc}") from exc
        for name in file.toml_data:
            if name not in settings_cls.model_fields:
                raise ValueError(f"the configuration file {config}: there is no setting {name!r}")
        return init_settings, env_settings, file

    @field_validator("secret")
    @classmethod
    def _secret_is_not_empty(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and not secret.get_secret_value():
            raise ValueError("it is empty: give a key, or leave it out for development mode")
        return secret

    @field_validator("metrics_token")
    @classmethod
    def _metrics_token_is_one(cls, token: SecretStr | None) -> SecretStr | None:
        if token is not None and not re.fullmatch(r"[!-~]+", token.get_secret_value()):
            raise ValueError("it is empty or not plain text: give one word, or leave it out")
        return token

    @field_validator("public_url")
    @classmethod
    def _public_url_is_one(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.query:
            raise ValueError("it is not like https://chat.example.org or https://example.org/chat")
        return url.rstrip("/")

    @field_validator("allowed_origins")
    @classmethod
    def _origins_are_such(cls, origins: frozenset[str] | None) -> frozenset[str] | None:
        if origins is None:
            return None
        origins = frozenset(origin.lower() for origin in origins)
        for origin in origins:
            parts = urlsplit(origin)
            if not parts.netloc or origin != f"{parts.scheme}://{parts.netloc}":
                raise ValueError(f"{origin!r} is not like https://shop.example.org")
        return origins

    @field_validator("file_types")
    @classmethod
    def _endings_are_plain(cls, endings: frozenset[str] | None) -> frozenset[str] | None:
        if endings is None:
            return None
        return frozenset(ending.removeprefix(".").lower() for ending in endings)

    @field_validator("database")
    @classmethod
    def _database_is_known(cls, database: str) -> str:
        if "://" in database:
            raise ValueError(
                "it is a path, or :memory:; databases with a URL are not supported yet"
            )
        return database

    @model_validator(mode="after")
    def _strangers_need_tokens(self) -> Self:
        if self.secret is None and not self.is_local:
            raise ValueError(
                "without a secret the server is in development mode, where anybody is whoever he "
                f"says he is, and {self.host} is not this machine alone: set a secret, or listen "
                "on 127.0.0.1"
            )
        return self

    @property
    def key(self) -> str | None:
        """The secret itself, to be handed to what checks tokens and to nothing else."""
        return None if self.secret is None else self.secret.get_secret_value()

    @property
    def metrics_key(self) -> str | None:
        """What a scraper has to show, to be handed to what checks it and to nothing else."""
        return None if self.metrics_token is None else self.metrics_token.get_secret_value()

    @property
    def is_local(self) -> bool:
        """Whether only this machine is listened to."""
        return _is_loopback(self.host)

    @property
    def rules(self) -> Rules:
        """What the domain is told."""
        return Rules(
            client_side_user_syncing=self.client_side_user_syncing,
            client_side_conversation_syncing=self.client_side_conversation_syncing,
            max_custom_bytes=self.max_custom_bytes,
            max_message_length=self.max_message_length,
            max_file_bytes=self.max_file_bytes,
            file_types=self.file_types,
        )

    @property
    def limits(self) -> Limits:
        """What the gateway is told."""
        return Limits(
            subscriptions=self.max_subscriptions,
            subscriptions_per_user=self.max_subscriptions_per_user,
            connections_per_user=self.max_connections_per_user,
            requests_in_flight=self.max_requests_in_flight,
            requests=self._rate(self.max_requests_per_second, 100, rest=10),
            requests_per_user=self._rate(self.max_requests_per_second_per_user, 300, rest=10),
            connections_per_address=(
                self._usually(self.max_connections_per_address, 1_000) or None
            ),
            new_connections=self._rate(self.max_new_connections_per_second, 200),
            new_connections_per_address=self._rate(
                self.max_new_connections_per_second_per_address, 50
            ),
            outbox=self.max_outbox_bytes,
            authentication=self.authentication_timeout,
            silence=self.silence_timeout,
            absence=self.offline_delay,
            typing=self.typing_timeout,
            translation=self.translation_timeout,
            translations=self.max_translations,
        )

    def _usually(self, chosen: N | None, usual: N) -> N | None:
        """Return what was chosen; else what is usual with a secret, nothing without one."""
        return chosen if chosen is not None or self.secret is None else usual

    def _rate(self, chosen: float | None, usual: float, *, rest: float = 1) -> Rate | None:
        """Return a rate; what has not come in `rest` seconds may come at once. None: any."""
        per_second = self._usually(chosen, usual)
        return Rate(per_second, rest * per_second) if per_second else None

    @property
    def http_limits(self) -> HttpLimits:
        """What the HTTP half is told."""
        return HttpLimits(
            searches_per_user=self.max_searches_per_user,
            uploads_per_user=self.max_uploads_per_user,
            upload_seconds=self.upload_timeout,
        )

    @property
    def file_folder(self) -> Path | None:
        """Where uploaded files are kept; None: in a folder for the time being."""
        if self.files is not None or self.database == MEMORY:
            return self.files
        return Path(f"{self.database}-files")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False  # some other name: where it leads is not for us to guess
