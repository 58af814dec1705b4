"""The engine's sinks in the order they hear of a step, behind a guard that lets none of them reach the engine.

Log first, so that what is counted was said. The guard exists because a sink's bug must not stop protection; it says so
once per sink and kind of failure, and counts the rest. It hides no failure of the engine itself.
"""

from collections.abc import Callable, Sequence

from gridops.adapters.record_log import LogSink
from gridops.adapters.record_metrics import MetricsSink
from gridops.domain.events import Header
from gridops.domain.records import Record
from gridops.runtime.ports import Sink
from gridops.runtime.state import EngineState


class GuardedSink:
    """A sink that cannot raise. `alarm` gets one line per new kind of failure."""

    def __init__(self, sink: Sink, alarm: Callable[[str], None]) -> None:
        self.failures = 0
        self._sink, self._alarm = sink, alarm
        self._said: set[str] = set()

    def take(self, header: Header, records: Sequence[Record]) -> None:
        try:
            self._sink.take(header, records)
        except Exception as error:
            self._failed(f"input {header.seq}", error)

    def gauge(self, state: EngineState) -> None:
        try:
            self._sink.gauge(state)
        except Exception as error:
            self._failed("gauges", error)

    def _failed(self, where: str, error: Exception) -> None:
        self.failures += 1
        kind = f"{where.split()[0]}: {type(error).__name__}"
        if kind not in self._said:
            self._said.add(kind)
            self._alarm(f"{type(self._sink).__name__} failed at {where}: {type(error).__name__}: {error}")


def engine_sinks(log: LogSink, metrics: MetricsSink, alarm: Callable[[str], None]) -> tuple[Sink, ...]:
    """What `Engine(sinks=...)` takes."""
    return GuardedSink(log, alarm), GuardedSink(metrics, alarm)
