"""The one metrics sink: the catalogue as Prometheus series, all of them there from the start, at zero.

Children are made once, so an emission is one dictionary look-up; counters and gauges have a number of their own from
the start, so that their first emission takes no memory. A metric or label value outside the catalogue is a bug and
raises MetricError; nothing else can be emitted. Numbers become floats here and nowhere before.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from gridops.domain.catalogue import KNOWN_VOCABULARIES, MAX_SERIES, Metric, MetricKind

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Labels = tuple[str, ...]
Number = int | float | Decimal
_Key = tuple[str, Labels]


class MetricError(Exception):
    """A bug: this metric, label value or number is not in the catalogue's terms."""


class Metrics:
    """A registry of its own with every series of the catalogue.

    `label_values` names the values of each vocabulary (`fsm_state`, `fsm_reason`, ...). `combinations` names, by
    metric, the only label tuples it may have, where the product of all values would mostly be impossible.
    """

    def __init__(
        self,
        catalogue: Iterable[Metric],
        label_values: Mapping[str, Sequence[str]],
        *,
        symbols: Sequence[str],
        assets: Sequence[str],
        combinations: Mapping[str, Iterable[Labels]] | None = None,
    ) -> None:
        # A `_created` series beside each counter would be a metric outside the catalogue.
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self._incs: dict[_Key, Callable[[float], None]] = {}
        self._sets: dict[_Key, Callable[[float], None]] = {}
        self._observes: dict[_Key, Callable[[float], None]] = {}
        self._hot: dict[str, Labels] = {}
        self._metrics = {metric.name: metric for metric in catalogue}
        words = {**KNOWN_VOCABULARIES, **label_values, "symbol": symbols, "asset": assets}
        given = dict(combinations or {})
        for metric in self._metrics.values():
            self._add(metric, _series(metric, words, given.pop(metric.name, None)))
        if given:
            raise MetricError(f"combinations for unknown metrics: {sorted(given)}")

    def inc(self, name: str, labels: Labels = (), n: Number = 1) -> None:
        """Add to a counter; `n` is finite and not negative."""
        if not math.isfinite(n) or n < 0:
            raise MetricError(f"{name}: a counter cannot grow by {n}")
        self._child(self._incs, name, labels)(float(n))

    def set(self, name: str, labels: Labels = (), v: Number = 0) -> None:
        """Put a gauge to a value. Not finite is allowed: unknown is not zero."""
        self._child(self._sets, name, labels)(float(v))

    def observe(self, name: str, labels: Labels = (), v: Number = 0) -> None:
        """Add a finite sample to a histogram."""
        if not math.isfinite(v):
            raise MetricError(f"{name}: not a sample: {v}")
        self._child(self._observes, name, labels)(float(v))

    def one_hot(self, name: str, label: str) -> None:
        """Put the gauge of this label to 1 and the one that was 1 to 0."""
        hot = self._child(self._sets, name, (label,))
        before = self._hot.get(name)
        if before is not None and before != (label,):
            self._sets[name, before](0)
        hot(1)
        self._hot[name] = (label,)

    def read(self, name: str, labels: Labels = ()) -> float:
        """The value of a counter or gauge now, or a histogram's sample count."""
        metric = self._metrics.get(name)
        if metric is None:
            raise MetricError(f"no metric {name}")
        sample = metric.full_name + ("_count" if metric.kind is MetricKind.HISTOGRAM else "")
        names = dict(zip((label.name for label in metric.labels), labels, strict=True))
        found = self._registry.get_sample_value(sample, names)
        if found is None:
            raise MetricError(f"no series {name}{labels}")
        return found

    def render(self) -> bytes:
        """The exposition text of all series."""
        return generate_latest(self._registry)

    def _child(
        self, children: Mapping[_Key, Callable[[float], None]], name: str, labels: Labels
    ) -> Callable[[float], None]:
        try:
            return children[name, labels]
        except KeyError:
            raise MetricError(f"not a series of the catalogue, or not of this kind: {name}{labels}") from None

    def _add(self, metric: Metric, series: Sequence[Labels]) -> None:
        name, names = metric.full_name, [label.name for label in metric.labels]
        match metric.kind:
            case MetricKind.COUNTER:
                counter = Counter(name, metric.help, names, registry=self._registry)
                for labels in series:
                    inc = self._incs[metric.name, labels] = (counter.labels(*labels) if labels else counter).inc
                    inc(0.0)
            case MetricKind.GAUGE:
                gauge = Gauge(name, metric.help, names, registry=self._registry)
                for labels in series:
                    child = gauge.labels(*labels) if labels else gauge
                    self._sets[metric.name, labels] = child.set
                    child.inc(0.0)
            case MetricKind.HISTOGRAM:
                bounds = [float(bound) for bound in metric.buckets]
                histogram = Histogram(name, metric.help, names, registry=self._registry, buckets=bounds)
                for labels in series:
                    self._observes[metric.name, labels] = (histogram.labels(*labels) if labels else histogram).observe


def _series(metric: Metric, words: Mapping[str, Sequence[str]], given: Iterable[Labels] | None) -> list[Labels]:
    missing = [label.vocabulary for label in metric.labels if label.vocabulary not in words]
    if missing:
        raise MetricError(f"{metric.name}: no values given for {missing}")
    values = [tuple(str(word) for word in words[label.vocabulary]) for label in metric.labels]
    if given is None:
        size = math.prod(map(len, values))
        series = list(itertools.product(*values)) if size <= MAX_SERIES else []
    else:
        series = list(dict.fromkeys(tuple(str(part) for part in labels) for labels in given))
        size = len(series)
        if any(
            len(each) != len(values) or any(a not in b for a, b in zip(each, values, strict=True)) for each in series
        ):
            raise MetricError(f"{metric.name}: a combination outside its vocabularies")
    if size > MAX_SERIES:
        raise MetricError(f"{metric.name}: {size} series; name its combinations")
    return series
