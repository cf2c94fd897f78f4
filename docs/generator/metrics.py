"""The metrics of the server."""

from docs.generator.markdown import code, table
from rtflow.server.metrics import SERIES

__all__ = ["metrics"]


def metrics() -> str:
    """List them."""
    return table(
        ("name", "kind", "labels", ""),
        [
            (code(it.name), it.kind, ", ".join(map(code, it.labels)), it.about.replace("|", "\\|"))
            for it in SERIES
        ],
    )
