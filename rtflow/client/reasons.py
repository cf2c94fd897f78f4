"""Reasons: why a connection failed, in a few words for people.

Not here: what to do about it (link.py).
"""

import errno
import os
import socket
import ssl

__all__ = ["reason_of", "root_of"]


def root_of(exc: BaseException) -> BaseException:
    """Return what an exception began with, beneath all that was raised because of it."""
    while (cause := exc.__cause__ or exc.__context__) is not None:
        exc = cause
    return exc


def reason_of(exc: BaseException) -> str:
    """Say in a few words what the operating system says."""
    match exc:
        case ConnectionRefusedError():
            return "connection refused"
        case ConnectionResetError() | BrokenPipeError():
            return "connection reset"
        case socket.gaierror():
            return f"the server's name cannot be resolved ({exc.strerror})"
        case ssl.SSLCertVerificationError():
            return f"the server's certificate is not valid ({exc.verify_message})"
        case ssl.SSLError():
            return f"TLS failed ({getattr(exc, 'reason', None) or exc})"
        case OSError(errno=None) if f"[Errno {errno.ECONNREFUSED}]" in str(exc):
            return "connection refused"  # by each of several addresses
        case OSError(errno=int(number)):
            return os.strerror(number).lower()
        case _:
            return str(exc) or type(exc).__name__
