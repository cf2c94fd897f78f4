"""`rtflow serve`: a server, until it is told to stop.

Not here: the server (rtflow.server), and settings that are not options (rtflow.server.settings).
Invariant: standard output gets one line, when requests are answered; all else is for people.
"""

import asyncio
import logging
import sys
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from rtflow.cli.failure import Misuse

if TYPE_CHECKING:
    from rtflow.server import Settings

__all__ = ["chosen", "serve", "settings_with"]


def serve(
    *,
    host: Annotated[str | None, Parameter(env_var="RTFLOW_HOST")] = None,
    port: Annotated[int | None, Parameter(env_var="RTFLOW_PORT")] = None,
    app: Annotated[str | None, Parameter(env_var="RTFLOW_APP")] = None,
    database: Annotated[str | None, Parameter(env_var="RTFLOW_DATABASE")] = None,
    secret: Annotated[str | None, Parameter(env_var="RTFLOW_SECRET")] = None,
) -> None:
    """Run a server until Ctrl-C or SIGTERM.

    Its other settings come from the environment (RTFLOW_MAX_SUBSCRIPTIONS and so on) and from the
    TOML file that RTFLOW_CONFIG names.

    Parameters
    ----------
    host
        The address to listen on [default: 127.0.0.1, and ::1 where there is one].
    port
        The port; 0 takes a free one [default: 8080].
    app
        The id of the app [default: demo].
    database
        The file that keeps everything, or :memory: [default: rtflow.db].
    secret
        The key that signs tokens. Without it the server is in development mode.
    """
    from rtflow.server import Address  # of the extra "server"
    from rtflow.server import serve as serve_until_stopped

    settings = settings_with(
        **chosen(host=host, port=port, app=app, database=database, secret=secret)
    )
    mode = "development mode" if settings.secret is None else "with tokens"

    def on_listening(host: str, port: int) -> None:
        url = Address(host, port).url
        print(f"rtflow: listening on {url} (app {settings.app}, {mode})", flush=True)

    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    runner()(serve_until_stopped(settings, on_listening=on_listening))


def chosen(**options: object) -> dict[str, object]:
    """Return the options that were given."""
    return {name: value for name, value in options.items() if value is not None}


def settings_with(**given: Any) -> "Settings":  # Any: whatever it is, Settings checks it
    """Return the settings with these; the others are of the environment, the file, the defaults.

    Raises `Misuse` for what cannot be, wherever it comes from.
    """
    from pydantic import ValidationError

    from rtflow.server import Settings

    try:
        return Settings(**given)
    except ValidationError as exc:
        problems = (in_words(error["loc"], error["msg"]) for error in exc.errors())
        raise Misuse("; ".join(problems)) from exc
    except ValueError as exc:  # the configuration file
        raise Misuse(str(exc)) from exc


def in_words(location: tuple[int | str, ...], problem: str) -> str:
    """Say in a few words what pydantic found: the option, or the setting, and what is wrong."""
    problem = problem.removeprefix("Value error, ")
    return f"{'.'.join(map(str, location))}: {problem}" if location else problem


def runner() -> Callable[[Coroutine[Any, Any, None]], None]:  # Any: as Coroutine wants it
    """Return what runs a loop: uvloop where there is one."""
    try:
        import uvloop
    except ModuleNotFoundError:
        return asyncio.run
    return uvloop.run
