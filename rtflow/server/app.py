"""The server as an ASGI application: builds the parts, starts and stops them in order.

Served by `serve`, or mounted into an application that people already have. Then that one has to
run `lifespan`, and its host knows nothing of our drain: clients are told nothing before they are
sent away.

    chat = create_app(Settings(secret=...))

    @asynccontextmanager
    async def lifespan(app):
        async with chat.lifespan():
            yield

    app = FastAPI(lifespan=lifespan)
    app.mount("/chat", chat)             # clients: rtflow.Session("http://.../chat", ...)

An application may also do what a server of ours cannot: `translate`.

Not here: hosting (serve.py). The only room that names the store and the bus.
"""

import gc
import logging
import sys
from asyncio import TaskGroup
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from typing import Final

from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from rtflow.errors import ServerFailed
from rtflow.server.auth import SHORTEST_SECRET, Authenticator
from rtflow.server.bus.local import LocalBus
from rtflow.server.chores import keep_house
from rtflow.server.clock import unix_ms
from rtflow.server.domain.points import close_points
from rtflow.server.domain.sides import sides
from rtflow.server.domain.tallies import reacted
from rtflow.server.domain.translations import Translate, untranslated
from rtflow.server.figures import Figures
from rtflow.server.files import open_vault
from rtflow.server.gateway.eager import Eager
from rtflow.server.gateway.endpoint import Endpoint, refuse
from rtflow.server.gateway.fanout import Fanout
from rtflow.server.gateway.node import Node
from rtflow.server.gateway.points import Points, recalled
from rtflow.server.gateway.signals import Signals
from rtflow.server.gateway.translator import Translator
from rtflow.server.gateway.uvicorn import HostLimits
from rtflow.server.http.routes import http_app
from rtflow.server.http.site import Site
from rtflow.server.metrics import Metrics, Parts
from rtflow.server.rates import Buckets
from rtflow.server.serve import Address
from rtflow.server.serve import running as host_here
from rtflow.server.serve import serve as host_process
from rtflow.server.settings import Settings
from rtflow.server.store.awaited import committed
from rtflow.server.store.sqlite import open_sqlite

__all__ = ["App", "create_app", "running", "serve"]

logger = logging.getLogger(__name__)

SWITCH_INTERVAL: Final = 0.0001
"""Seconds after which the loop's thread lets others run. At Python's default (5 ms) a busy loop
starves the thread that commits: tens of thousands of statements per second fall to under
thirty, this restores a tenth."""

COLLECT_AFTER: Final = 50_000
"""New objects after which the youngest are searched for garbage in cycles. A delivery makes a list
for each of its receivers; at Python's default (700) thousands of them set off searches that end in
one of everything, and these take a third of the time that 6,000 deliveries take."""


class App:
    """An ASGI application. Made by `create_app`, of its `settings` and its `translate`."""

    settings: Settings
    """What it was told."""

    def __init__(self, settings: Settings, translate: Translate) -> None:
        self.settings, self._translate = settings, translate
        self._authenticator = Authenticator(
            settings.app, settings.key, leeway=settings.token_leeway
        )
        self._requests = Buckets(settings.limits.requests_per_user)
        self._figures = Figures()
        self._metrics = Metrics(self._figures)
        self._site = Site(
            authenticator=self._authenticator,
            limits=settings.http_limits,
            rules=settings.rules,
            requests=self._requests,
            figures=self._figures,
            scrape=self._metrics.written,
            public_url=settings.public_url,
        )
        self._http = http_app(
            self._site, self._lifespan, settings.allowed_origins, settings.metrics_key
        )
        self._endpoint: Endpoint | None = None
        self._fanout: Fanout | None = None  # the last one, also after the end

    @property
    def subscriptions(self) -> int:
        """How many things its connections watch: 0 when there is no connection."""
        return 0 if self._fanout is None else self._fanout.subscriptions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, or one request, or the whole life."""
        if scope["type"] != "websocket":
            await self._http(scope, receive, send)
        elif self._endpoint is not None:
            await self._endpoint(scope, receive, send)
        else:
            stopped = ServerFailed("NOT_RUNNING", "the app has not been started", status=503)
            await refuse(scope, receive, send, stopped)

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        """Run the app: opens the database, closes it at the end. Under `serve` that is done
        already."""
        self._warn()
        settings, limits, bus = self.settings, self.settings.limits, LocalBus()
        async with AsyncExitStack() as parts:
            parts.enter_context(_switching(SWITCH_INTERVAL))
            store = await open_sqlite(settings.database, bus.publish)
            parts.push_async_callback(store.close)
            journal, points = await recalled(store), Points(store, unix_ms)
            parts.callback(points.flush)
            await committed(store, partial(close_points, journal.floor, unix_ms()))
            vault = await open_vault(settings.file_folder)
            parts.push_async_callback(vault.close)
            tasks = TaskGroup()
            await tasks.__aenter__()
            # Called so, and not entered, because what the body raises shall leave it as it is.
            parts.push_async_callback(tasks.__aexit__, None, None, None)
            eager = Eager(tasks)
            fanout = self._fanout = Fanout(store, eager, sides, reacted, self._figures)
            signals = Signals(store, limits, unix_ms, tell=bus.tell, hand_on=fanout.hand_on)
            parts.callback(signals.close)
            translator = Translator(store, limits, self._translate)
            parts.callback(translator.close)
            bus.listen(journal.note)  # before fanout: what is known is not less than what is told
            bus.listen(fanout.deliver)
            bus.listen(signals.follow)  # after it, so that what follows from a change comes later
            bus.listen_for_signals(signals.hear)
            chores = tasks.create_task(keep_house(store, vault, unix_ms))
            parts.callback(chores.cancel)
            node = Node(
                store=store,
                fanout=fanout,
                journal=journal,
                points=points,
                eager=eager,
                authenticator=self._authenticator,
                signals=signals,
                translator=translator,
                limits=limits,
                rules=settings.rules,
                requests=self._requests,
                figures=self._figures,
                clock=unix_ms,
            )
            self._endpoint = Endpoint(node, settings.allowed_origins)
            self._site.open(store, vault)
            self._metrics.open(Parts(node=node, endpoint=self._endpoint, site=self._site))
            logger.debug("the app %r has started, at change %d", settings.app, store.number)
            try:
                yield
            finally:
                self._metrics.close()
                self._site.close()
                self._endpoint = None

    async def drain(self) -> None:
        """Finish what clients have asked for, and send them away (1012). For the host."""
        if self._endpoint is not None:
            await self._endpoint.drain()

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncGenerator[None]:
        async with self.lifespan():
            yield

    def _warn(self) -> None:
        key = self.settings.key
        if key is None:
            logger.warning(
                "DEVELOPMENT MODE: no secret is set, so every client on this machine is whoever it "
                "says it is; clients on other machines are refused"
            )
        elif len(key.encode()) < SHORTEST_SECRET:
            logger.warning(
                "the secret is shorter than %d bytes: it can be guessed", SHORTEST_SECRET
            )
        if self.settings.public_url is None and not self.settings.is_local:
            logger.warning(
                "no public_url is set, so links to uploaded files begin with whatever name their "
                "uploader has called this server by"
            )


def create_app(settings: Settings | None = None, *, translate: Translate = untranslated) -> App:
    """Build the application. Without `settings`: from the environment.

    `translate` is how messages become messages in another language (see `Translate`); without it
    they are returned as they were written.
    """
    return App(Settings() if settings is None else settings, translate)


async def serve(
    settings: Settings | None = None,
    *,
    on_listening: Callable[[str, int], None],
    translate: Translate = untranslated,
) -> None:
    """Serve until SIGINT or SIGTERM, then send the clients away and stop.

    `settings` are those of the environment when not given. `on_listening` is called with the host
    and the port once requests are answered. `translate` as for `create_app`. Prints nothing.
    Raises `CannotListen`, and what the start of the app raises.
    """
    app = create_app(settings, translate=translate)
    with _collecting(COLLECT_AFTER):
        await host_process(
            app,
            host=app.settings.host,
            port=app.settings.port,
            on_listening=on_listening,
            drain=app.drain,
            limits=_host_limits(app.settings),
        )


@asynccontextmanager
async def running(
    settings: Settings | App | None = None, *, translate: Translate = untranslated
) -> AsyncGenerator[Address]:
    """Serve while the body runs, in the loop that runs already. Gives the address.

    `settings` are those of the environment when not given, `translate` as for `create_app`; or it
    is an application that is made already. Raises as `serve`.
    """
    app = settings if isinstance(settings, App) else create_app(settings, translate=translate)
    async with host_here(
        app,
        host=app.settings.host,
        port=app.settings.port,
        drain=app.drain,
        limits=_host_limits(app.settings),
    ) as address:
        yield address


def _host_limits(settings: Settings) -> HostLimits:
    # A client that has just answered one ping is asked again a third later, has a third to answer,
    # and a third more if it takes what it is sent: it is cut before the whole time is over.
    third = settings.silence_timeout / 3
    return HostLimits(
        message_size=settings.max_frame_bytes, ping_interval=third, ping_timeout=third
    )


@contextmanager
def _collecting(threshold: int) -> Generator[None]:
    """Look for garbage in cycles less often: what lives here lives long, and each look passes all
    of it. Only in a process of our own, and left as it was."""
    before = gc.get_threshold()
    gc.set_threshold(before[0] and max(before[0], threshold), *before[1:])  # 0: never
    try:
        yield
    finally:
        gc.set_threshold(*before)


@contextmanager
def _switching(interval: float) -> Generator[None]:
    """Let threads take turns more often. It is the interpreter's setting, so leave it as it was."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(min(before, interval))
    try:
        yield
    finally:
        sys.setswitchinterval(before)
