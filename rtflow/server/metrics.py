"""Metrics: what the app has done and how it is, in the words of Prometheus.

Read when somebody asks: the figures that the parts have counted up, and of the parts themselves
what is the case now. Nothing is looked up, named or locked before that. What has to be added up
over all connections costs some microseconds for each of them, per scrape.

Not here: counting (figures.py), who may ask (http/scraping.py). The only import of
`prometheus_client`. Invariants: each app has a registry of its own. No label is an id, or anything
else that a client chooses.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate
from typing import Final, TypeAlias

from msgspec import Struct
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from rtflow.server.figures import Figures, Spread, StoreFigures
from rtflow.server.gateway.endpoint import Endpoint
from rtflow.server.gateway.node import Node
from rtflow.server.http.site import Site

__all__ = ["SERIES", "Metrics", "Parts", "Series"]


class Parts(Struct, frozen=True, kw_only=True):
    """What a running app consists of, as far as it is looked at here."""

    node: Node
    endpoint: Endpoint
    site: Site


class View(Struct, frozen=True):
    """What is looked at: the figures, and the parts while the app runs."""

    figures: Figures
    parts: Parts | None


Labelled: TypeAlias = Iterable[tuple[tuple[str, ...], float]]
Spreads: TypeAlias = Iterable[tuple[tuple[str, ...], Spread]]


class Series(Struct, frozen=True):
    """One metric. `about` says what it is, and its unit; `read` what it is now."""

    name: str
    about: str
    labels: tuple[str, ...]
    read: Callable[[View], Metric]

    @property
    def kind(self) -> str:
        """As Prometheus calls it."""
        return self.read(View(Figures(), None)).type


def gauge(name: str, about: str, read: Callable[[Parts], float]) -> Series:
    """Make a metric of what the parts say; without them it is 0."""

    def metric(view: View) -> Metric:
        return GaugeMetricFamily(name, about, 0 if view.parts is None else read(view.parts))

    return Series(name, about, (), metric)


def gauges(
    name: str, about: str, labels: tuple[str, ...], read: Callable[[Parts], Labelled]
) -> Series:
    """Make a metric of several gauges."""

    def metric(view: View) -> Metric:
        family = GaugeMetricFamily(name, about, labels=labels)
        for values, number in () if view.parts is None else read(view.parts):
            family.add_metric(values, number)
        return family

    return Series(name, about, labels, metric)


def counter(name: str, about: str, read: Callable[[Figures], float]) -> Series:
    """Make a metric of one figure."""
    return Series(
        name, about, (), lambda view: CounterMetricFamily(name, about, read(view.figures))
    )


def counters(
    name: str, about: str, labels: tuple[str, ...], read: Callable[[View], Labelled]
) -> Series:
    """Make a metric of several figures."""

    def metric(view: View) -> Metric:
        family = CounterMetricFamily(name, about, labels=labels)
        for values, number in read(view):
            family.add_metric(values, number)
        return family

    return Series(name, about, labels, metric)


def histogram(
    name: str, about: str, labels: tuple[str, ...], read: Callable[[View], Spreads]
) -> Series:
    """Make a metric of spreads."""

    def metric(view: View) -> Metric:
        family = HistogramMetricFamily(name, about, labels=labels)
        for values, spread in read(view):
            edges = (*map(str, spread.bounds), "+Inf")
            buckets = list(zip(edges, accumulate(spread.counts), strict=True))
            family.add_metric(values, buckets, spread.total)
        return family

    return Series(name, about, labels, metric)


# What is read


def _requests(view: View) -> Labelled:
    for request, tally in list(view.figures.requests.items()):
        yield (request, "200"), tally.done
        for status, number in sorted(tally.refused.items()):
            yield (request, str(status)), number
    for status, number in sorted(view.figures.unreadable.items()):
        yield ("unreadable", str(status)), number


def _turns(parts: Parts) -> Labelled:
    yield ("search",), parts.site.searches.under_way
    yield ("translation",), parts.node.translator.under_way
    yield ("upload",), parts.site.uploads.under_way


def _turns_begun(view: View) -> Labelled:
    if view.parts is not None:
        yield ("search",), view.parts.site.searches.begun
        yield ("translation",), view.parts.node.translator.begun
        yield ("upload",), view.parts.site.uploads.begun


def _turns_refused(view: View) -> Labelled:
    if view.parts is not None:
        yield ("search",), view.parts.site.searches.refused
        yield ("translation",), view.parts.node.translator.refused
        yield ("upload",), view.parts.site.uploads.refused


def _of_parts(read: Callable[[Parts], float]) -> Callable[[View], Labelled]:
    """Read a count that a part keeps itself."""
    return lambda view: () if view.parts is None else (((), read(view.parts)),)


def _of_store(view: View, spread: Callable[[StoreFigures], Spread]) -> Spreads:
    return () if view.parts is None else (((), spread(view.parts.node.store.figures)),)


def _unsent(parts: Parts) -> Iterator[int]:
    return (peer.unsent for peer in parts.endpoint.peers)


SERIES: Final = (
    # Connections
    gauge(
        "rtflow_connections",
        "Websocket connections that are open.",
        lambda it: len(it.endpoint.peers),
    ),
    gauge(
        "rtflow_authenticated_connections",
        "Websocket connections that have shown a good token.",
        lambda it: it.node.authenticated,
    ),
    gauge(
        "rtflow_users",
        "Users with at least one authenticated connection.",
        lambda it: it.node.users,
    ),
    gauge(
        "rtflow_subscriptions",
        "Things that connections watch, each counted once for each connection.",
        lambda it: sum(peer.subscriptions for peer in it.endpoint.peers),
    ),
    counter(
        "rtflow_connections_accepted_total",
        "Websocket handshakes that were accepted.",
        lambda it: it.connections,
    ),
    counters(
        "rtflow_handshakes_refused_total",
        "Websocket handshakes that were refused, by the code of the refusal.",
        ("code",),
        lambda it: [((code,), n) for code, n in sorted(it.figures.refused_handshakes.items())],
    ),
    counters(
        "rtflow_connections_closed_total",
        "Connections that the server ended, by the reason that their clients were told.",
        ("reason",),
        lambda it: [((reason,), n) for reason, n in sorted(it.figures.cut_off.items())],
    ),
    counter(
        "rtflow_clients_returned_total",
        "Clients with an id of their own (the official one) that came back.",
        lambda it: it.returned,
    ),
    counters(
        "rtflow_resumed_total",
        "Conversations that such clients were caught up with: `replayed` what the log had, `retold`"
        " where it did not reach back.",
        ("how",),
        lambda it: [
            (("replayed",), it.figures.replayed),
            (("retold",), it.figures.retold),
        ],
    ),
    gauge(
        "rtflow_resume_points_pending",
        "Places where such clients left off that are not written down yet.",
        lambda it: it.node.points.pending,
    ),
    counters(
        "rtflow_resume_points_dropped_total",
        "Such places that were given up, because too many waited for the database.",
        (),
        _of_parts(lambda it: it.node.points.dropped),
    ),
    # Requests
    counters(
        "rtflow_requests_total",
        "Requests that were answered, over websockets and HTTP, by method and path (ids left out)"
        " and status. 499: the client had left.",
        ("request", "status"),
        _requests,
    ),
    histogram(
        "rtflow_request_seconds",
        "Seconds from a request to its answer, by what it does (over HTTP: `http`).",
        ("kind",),
        lambda it: [((kind,), spread) for kind, spread in it.figures.took.items()],
    ),
    gauge(
        "rtflow_requests_under_way",
        "Requests over websockets that are not answered yet.",
        lambda it: sum(peer.under_way for peer in it.endpoint.peers),
    ),
    gauges(
        "rtflow_turns_taken",
        "Searches, translations and uploads that are under way.",
        ("what",),
        _turns,
    ),
    counters("rtflow_turns_total", "Searches, translations and uploads.", ("what",), _turns_begun),
    counters(
        "rtflow_turns_refused_total",
        "Searches, translations and uploads that were refused because too many were under way.",
        ("what",),
        _turns_refused,
    ),
    counters(
        "rtflow_translations_failed_total",
        "Translations that failed or took too long.",
        (),
        _of_parts(lambda it: it.node.translator.failed),
    ),
    counter("rtflow_uploaded_bytes_total", "Bytes of uploaded files.", lambda it: it.uploaded),
    # What is sent
    counter(
        "rtflow_events_delivered_total",
        "Events that were handed to connections, each counted once for each connection.",
        lambda it: it.events,
    ),
    counter(
        "rtflow_events_conflated_total",
        "Changes that were told as one with others, in absolute values.",
        lambda it: it.conflated,
    ),
    counter(
        "rtflow_frames_received_total",
        "Websocket messages of clients.",
        lambda it: it.frames_in,
    ),
    counter(
        "rtflow_frames_sent_total",
        "Websocket messages to clients.",
        lambda it: it.frames_out,
    ),
    counter(
        "rtflow_sent_bytes_total",
        "Bytes of websocket messages to clients.",
        lambda it: it.bytes_out,
    ),
    gauge(
        "rtflow_outbox_bytes",
        "Bytes that wait for clients in this process, of all connections together.",
        lambda it: sum(_unsent(it)),
    ),
    gauge(
        "rtflow_outbox_bytes_most",
        "Bytes that wait for the client for whom the most waits.",
        lambda it: max(_unsent(it), default=0),
    ),
    gauge(
        "rtflow_changes_behind",
        "Committed changes that are not handed to the connections yet.",
        lambda it: it.node.fanout.behind,
    ),
    counter(
        "rtflow_fallen_behind_total",
        "Times that everybody was sent away to read anew, because too many changes waited.",
        lambda it: it.fallen_behind,
    ),
    histogram(
        "rtflow_delivery_lag_seconds",
        "Seconds from a commit until its changes were handed to the connections.",
        (),
        lambda it: [((), it.figures.lag)],
    ),
    # The store
    gauge("rtflow_log_number", "The number of the last change.", lambda it: it.node.store.number),
    gauge(
        "rtflow_store_queue",
        "Commands that wait for their group to be committed.",
        lambda it: it.node.store.waiting,
    ),
    counters(
        "rtflow_commands_refused_total",
        "Commands that were refused because too many waited.",
        (),
        _of_parts(lambda it: it.node.store.figures.crowded_out),
    ),
    histogram(
        "rtflow_commit_seconds",
        "Seconds that a commit took, until the disk had it; their number is that of commits.",
        (),
        lambda it: _of_store(it, lambda figures: figures.commits),
    ),
    histogram(
        "rtflow_group_commands",
        "Commands that were committed together.",
        (),
        lambda it: _of_store(it, lambda figures: figures.groups),
    ),
    counters(
        "rtflow_commits_failed_total",
        "Groups of commands that were lost because the database could not be written.",
        (),
        _of_parts(lambda it: it.node.store.figures.lost_groups),
    ),
)
"""All of them, in the order in which they are written."""


class Metrics(Collector):
    """Those of one app, from `open` to `close` with what is the case at the moment."""

    def __init__(self, figures: Figures) -> None:
        self._view = View(figures, None)
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._registry.register(self)

    def open(self, parts: Parts) -> None:
        """The app runs."""
        self._view = View(self._view.figures, parts)

    def close(self) -> None:
        """The app runs no more."""
        self._view = View(self._view.figures, None)

    def collect(self) -> Iterator[Metric]:
        """For the registry."""
        return (series.read(self._view) for series in SERIES)

    def written(self, accept: str) -> tuple[bytes, str]:
        """Write all metrics in a form that this `Accept` header takes, and say in which."""
        try:
            encode, content_type = choose_encoder(accept)
        except (TypeError, ValueError):  # a version that is none
            encode, content_type = choose_encoder("")
        text: bytes = encode(self._registry)
        return text, content_type
