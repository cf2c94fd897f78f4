"""The server: an ASGI application, the way to serve it, and what its keeper does beside it."""

from rtflow.server.app import App, create_app, running, serve
from rtflow.server.auth import mint_token
from rtflow.server.domain.translations import Original, Translate, Translated
from rtflow.server.serve import Address, CannotListen
from rtflow.server.settings import Settings
from rtflow.server.upkeep import Backup, CannotBackUp, Check, back_up, examine

__all__ = [
    "Address",
    "App",
    "Backup",
    "CannotBackUp",
    "CannotListen",
    "Check",
    "Original",
    "Settings",
    "Translate",
    "Translated",
    "back_up",
    "create_app",
    "examine",
    "mint_token",
    "running",
    "serve",
]
