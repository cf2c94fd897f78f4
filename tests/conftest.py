"""What every test has: the fixtures of `rtflow.testing`, its proof that nothing is left, and time
enough on a busy machine."""

from hypothesis import settings

pytest_plugins = ["rtflow.testing.plugin"]

settings.register_profile("rtflow", deadline=None)
settings.load_profile("rtflow")
