"""Resume points: how far a client had come, and what is assumed when the server died meanwhile."""

from rtflow.server.domain.points import Client, Point, close_points, find_point, keep_points
from tests.server.domain.world import World

ADA = Client("4711", "ada")
BOB = Client("4712", "bob")
TWO_MINUTES = 120_000


def keep(world: World, client: Client, number: int, *, is_open: bool) -> None:
    world.do(lambda: keep_points({client: Point(number, is_open)}, world.now))


def point_of(world: World, client: Client) -> int | None:
    return world.ask(lambda: find_point(client))


def after_a_crash(world: World, known_from: int = 0) -> None:
    world.do(lambda: close_points(known_from, world.now))


def test_a_client_is_known_by_its_id_and_its_user(world: World) -> None:
    keep(world, ADA, 7, is_open=True)
    assert point_of(world, ADA) == 7
    assert point_of(world, Client(ADA.id, "bob")) is None
    assert point_of(world, Client(BOB.id, "ada")) is None


def test_the_last_point_counts(world: World) -> None:
    keep(world, ADA, 7, is_open=True)
    keep(world, ADA, 9, is_open=False)
    assert point_of(world, ADA) == 9


def busy(world: World) -> None:
    """Ten changes, one every twenty seconds."""
    for _ in range(10):
        world.create_user("ada", f"born at {world.now}")
        world.now += TWO_MINUTES // 6


def test_who_was_connected_when_the_server_died_may_lack_the_last_minutes(world: World) -> None:
    busy(world)
    keep(world, ADA, 1, is_open=True)
    keep(world, BOB, 2, is_open=False)
    after_a_crash(world)
    assert point_of(world, ADA) == 3, "number 4 was logged two minutes before number 10"
    assert point_of(world, BOB) == 2
    busy(world)
    after_a_crash(world)
    assert point_of(world, ADA) == 3, "it was not connected when the server died again"


def test_a_point_never_goes_back(world: World) -> None:
    busy(world)
    keep(world, ADA, 8, is_open=True)
    after_a_crash(world)
    assert point_of(world, ADA) == 8


def test_only_the_end_of_the_log_is_looked_at(world: World) -> None:
    busy(world)
    keep(world, ADA, 1, is_open=True)
    after_a_crash(world, known_from=6)
    assert point_of(world, ADA) == 6
