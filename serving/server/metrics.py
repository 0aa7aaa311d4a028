"""Figures for Prometheus, by the names TF Serving gives them where it has the same ones."""

from collections.abc import Iterable, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric, UnknownMetricFamily
from prometheus_client.registry import Collector

_PREFIX = ":tensorflow:serving:"
_MICROSECONDS = [10 * 1.8**i for i in range(33)]  # TF Serving's buckets
_QUEUING = [100 * 1.2**i for i in range(52)]
_SIZES = [1, 2, 4, 8, 16, 32, 64, 128, 256]


class Metrics:
    """What one server counts."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            f"{_PREFIX}request_count",
            "The total number of requests.",
            ["model_name", "status"],
            registry=None,
        )
        self.registry.register(_Unsuffixed(self._requests))
        self._latency = Histogram(
            f"{_PREFIX}request_latency",
            "Distribution of wall time (in microseconds) for a request.",
            ["model_name", "API", "entrypoint"],
            buckets=_MICROSECONDS,
            registry=self.registry,
        )
        self._queuing = Histogram(
            f"{_PREFIX}batching_session:queuing_latency",
            "Distribution of wall time spent (in microseconds) in queuing.",
            buckets=_QUEUING,
            registry=self.registry,
        )
        self._batches = Histogram(
            f"{_PREFIX}batching_session:processed_batch_size",
            "Pictures in a batch.",
            buckets=_SIZES,
            registry=self.registry,
        )
        self.queued = Gauge(
            "agegender_queued_pictures", "Pictures that wait.", registry=self.registry
        )
        self.at_work = Gauge(
            "agegender_requests_at_work", "Requests at work.", registry=self.registry
        )
        self.available = Gauge(
            "agegender_version_available", "Versions served.", ["version"], registry=self.registry
        )
        ProcessCollector(registry=self.registry)

    def request(self, model: str, status: str) -> None:
        """Counts a request for a prediction by how it ended, one of gRPC's codes."""
        self._requests.labels(model, status).inc()

    def took(self, model: str, api: str, entrypoint: str, seconds: float) -> None:
        """Records an answered request's time."""
        self._latency.labels(model, api, entrypoint).observe(seconds * 1e6)

    def batch(self, size: int, waited: Sequence[float]) -> None:
        """Records a batch: its pictures, and the seconds each of its requests waited."""
        self._batches.observe(size)
        for seconds in waited:
            self._queuing.observe(seconds * 1e6)

    def page(self, served: Sequence[int], queued: int) -> bytes:
        """All figures as text for Prometheus."""
        self.queued.set(queued)
        self.available.clear()
        for version in served:
            self.available.labels(str(version)).set(1)
        return generate_latest(self.registry)


class _Unsuffixed(Collector):
    """A counter under its own name: TF Serving's have no _total, and dashboards ask for those."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter

    def collect(self) -> Iterable[Metric]:
        for metric in self._counter.collect():
            family = UnknownMetricFamily(metric.name, metric.documentation)
            for sample in metric.samples:
                if sample.name.endswith("_total"):
                    family.add_sample(metric.name, sample.labels, sample.value)
            yield family
