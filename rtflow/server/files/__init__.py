"""Where the bytes of uploads are kept."""

from rtflow.server.files.vault import (
    SHARDS,
    Incoming,
    UnusableFolder,
    Vault,
    open_vault,
    place_of,
)

__all__ = ["SHARDS", "Incoming", "UnusableFolder", "Vault", "open_vault", "place_of"]
