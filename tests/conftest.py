"""What every test has: the fixtures of `rtflow.testing`, its proof that nothing is left, and time
enough on a busy machine."""

import signal

from hypothesis import settings

pytest_plugins = ["rtflow.testing.plugin"]

settings.register_profile("rtflow", deadline=None)
settings.load_profile("rtflow")

# Tests that run in the background of a shell inherit that nobody minds Ctrl-C; the programs that
# they start, and interrupt, would inherit it, too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
