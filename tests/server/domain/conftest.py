"""A world for each test."""

from collections.abc import Iterator

import pytest

from tests.server.domain.world import World


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.database.close()
