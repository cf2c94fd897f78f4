"""How uvicorn hosts us: its protocol classes and its server, made to end.

Not here: what the application does with a connection (endpoint.py, peer.py), listening sockets
and the face for callers (rtflow.server.serve).
Invariant: all that we know of uvicorn's insides is in this folder.
"""

from rtflow.server.gateway.uvicorn.limits import HostLimits
from rtflow.server.gateway.uvicorn.server import Server

__all__ = ["HostLimits", "Server"]
