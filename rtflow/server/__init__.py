"""The server: an ASGI application, and the way to serve it."""

from rtflow.server.app import App, create_app, running, serve
from rtflow.server.auth import mint_token
from rtflow.server.domain.translations import Original, Translate, Translated
from rtflow.server.serve import Address, CannotListen
from rtflow.server.settings import Settings

__all__ = [
    "Address",
    "App",
    "CannotListen",
    "Original",
    "Settings",
    "Translate",
    "Translated",
    "create_app",
    "mint_token",
    "running",
    "serve",
]
