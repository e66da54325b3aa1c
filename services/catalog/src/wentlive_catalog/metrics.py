"""The catalog's numbers, on the service's one registry."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class CatalogMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self._events = Counter("wentlive_catalog_events", "Events that changed an entry.", ["type"], registry=registry)
        self._age = Histogram(
            "wentlive_catalog_event_age_seconds", "From an event's time to its being visible.",
            buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 300), registry=registry,
        )  # fmt: skip
        self._requests = Histogram(
            "wentlive_catalog_request_seconds", "Time to the first byte of an answer, by route and status.",
            ["method", "route", "status"], buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5), registry=registry,
        )  # fmt: skip
        self._logins = Counter("wentlive_catalog_logins", "Sign-ins by outcome.", ["outcome"], registry=registry)
        self._streams = Gauge("wentlive_catalog_open_streams", "Pages that are listening.", registry=registry)

    def watch_streams(self, count: Callable[[], int]) -> None:
        self._streams.set_function(count)

    def event_applied(self, kind: str, age: float) -> None:
        self._events.labels(kind).inc()
        self._age.observe(max(0.0, age))

    def request_answered(self, method: str, route: str, status: int, seconds: float) -> None:
        self._requests.labels(method, route, str(status)).observe(seconds)

    def login(self, outcome: str) -> None:
        self._logins.labels(outcome).inc()
