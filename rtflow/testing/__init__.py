"""What a test-suite needs around rtflow: a server, a faulty link to it, a clock, eyes and patience.

The fixtures are in `rtflow.testing.plugin`; switch them on in the topmost `conftest.py` with
`pytest_plugins = ["rtflow.testing.plugin"]`. Whatever here does not come true in time is an
`AssertionError` that says what was seen instead.
"""

from rtflow.testing.clock import Clock
from rtflow.testing.link import Link
from rtflow.testing.recorder import Recorder
from rtflow.testing.server import ServerProcess, serving
from rtflow.testing.waiting import until

__all__ = ["Clock", "Link", "Recorder", "ServerProcess", "serving", "until"]
