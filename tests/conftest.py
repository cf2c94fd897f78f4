"""What every test has: the fixtures of `rtflow.testing`, and its proof that nothing is left."""

pytest_plugins = ["rtflow.testing.plugin"]
