"""What the watcher counts, for `/metrics`."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class WatcherGauges:
    """One set for a process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.checks = Counter(
            "wentlive_watcher_checks", "Checks of creators, by what TikTok answered.", ["outcome"], registry=registry
        )
        self.open_broadcasts = Gauge(
            "wentlive_watcher_open_broadcasts", "Broadcasts that are told and not over.", registry=registry
        )
        self.lateness = Histogram(
            "wentlive_watcher_due_to_checked_seconds",
            "From when a creator was due to when the answer was stored.",
            buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
            registry=registry,
        )
        self.last_answer = Gauge(
            "wentlive_watcher_last_answer_timestamp_seconds",
            "When TikTok last gave an answer that says something.",
            registry=registry,
        )
        self.requests = Counter(
            "wentlive_watcher_requests", "Requests to TikTok, by egress.", ["egress"], registry=registry
        )
        self.refusals = Counter(
            "wentlive_watcher_refusals", "Refusals by TikTok, by egress and kind.", ["egress", "how"], registry=registry
        )
        self.egress_resting = Gauge(
            "wentlive_watcher_egress_resting",
            "1 while an egress rests after a refusal, until a probe is answered.",
            ["egress"],
            registry=registry,
        )
