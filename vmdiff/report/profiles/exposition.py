"""Metric families as OpenMetrics text, written by prometheus_client."""

from collections.abc import Iterable, Iterator

from prometheus_client.core import Metric
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

Labels = tuple[tuple[str, str], ...]


def gauge(name: str, unit: str, text: str) -> Metric:
    """Return a family of gauges without samples; *unit* is empty or the end of the name."""
    return Metric(name, text, "gauge", unit)


def add(family: Metric, labels: Labels, value: float, timestamp: float | None = None) -> None:
    """Add a sample to a family of gauges."""
    family.add_sample(family.name, dict(labels), value, timestamp)


def written(families: Iterable[Metric]) -> str:
    """Write families as text, in their order."""
    registry = CollectorRegistry()
    registry.register(_Collected(list(families)))
    return str(generate_latest(registry).decode())  # type: ignore[no-untyped-call]


class _Collected(Collector):
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        yield from self._families
