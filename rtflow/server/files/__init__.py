"""Where the bytes of uploads are kept."""

from rtflow.server.files.vault import SHARDS, Incoming, Vault, open_vault, place_of

__all__ = ["SHARDS", "Incoming", "Vault", "open_vault", "place_of"]
