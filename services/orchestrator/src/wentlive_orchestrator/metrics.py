"""What the orchestrator counts."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class OrchestratorMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self.unsettled = Gauge(
            "wentlive_recordings_unsettled", "Recordings with something left to decide or clean up", registry=registry
        )
        self.active = Gauge("wentlive_recordings_active", "Recordings with a recorder at work", registry=registry)
        self.starts = Counter("wentlive_attempts_started", "Recorders started", registry=registry)
        self.refused = Counter("wentlive_attempts_refused", "Recorders that could not be started", registry=registry)
        self.lost = Counter("wentlive_attempts_lost", "Recorders that died or fell silent", registry=registry)
        self.reaped = Counter("wentlive_recorders_reaped", "Recorders deleted that nobody owned", registry=registry)
        self.undeletable = Counter("wentlive_recorder_delete_failures", "Failed deletions", registry=registry)
        self.resisting = Gauge(
            "wentlive_recorders_undeletable", "Recorders that resist deletion and may cost money", registry=registry
        )
        self.waiting = Gauge(
            "wentlive_recordings_waiting", "Recordings that no recorder may be started for", registry=registry
        )
        self.reports = Counter("wentlive_reports", "Recorders' reports by answer", ["answer"], registry=registry)
        self.month_usd = Gauge(
            "wentlive_month_cost_usd", "Estimated cost of this month's recordings, in US dollars", registry=registry
        )
        self.start_seconds = Histogram(
            "wentlive_recorder_start_seconds",
            "From the decision to record to the recorder's start",
            buckets=(0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120),
            registry=registry,
        )
