"""Opens a market by its spec: `synthetic:<seed>[:<regime>]` or `recorded:<path>[,<path>...]`.

The only door to the market sources. It refuses what it cannot name.
"""

from pathlib import Path
from typing import Protocol

from gridops.errors import ConfigError
from gridops.venue.market.events import MarketSource
from gridops.venue.market.recorded import RecordedMarket
from gridops.venue.market.regimes import DEFAULT_REGIME, REGIMES
from gridops.venue.market.synthetic import SyntheticMarket

_FORMS = "synthetic:<seed>[:<regime>] or recorded:<path>[,<path>...]"


class OpenMarket(MarketSource, Protocol):
    """A market source that can say what it is made of."""

    @property
    def partial(self) -> bool:
        """Whether deep levels may be missing: a recording's book was warmed up without snapshot."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader of results should know, each with file and line where there is one."""

    @property
    def quarantined(self) -> int:
        """Recorded rows dropped."""

    @property
    def span_ms(self) -> int | None:
        """Market time of one round; None when endless."""


def open_market(spec: str, *, from_ms: int | None = None, loop: bool = False) -> OpenMarket:
    """Open the market that `spec` names.

    `from_ms` (UTC) starts a recording later, with the book built up to then; `loop` repeats it without end.
    Raises ConfigError for a spec that names no market, RecordingError for a recording that cannot be trusted.
    """
    kind, _, rest = spec.partition(":")
    if kind == "synthetic" and rest:
        return _synthetic(rest, from_ms)
    if kind == "recorded" and rest:
        return RecordedMarket(_paths(rest), from_ms=from_ms, loop=loop)
    raise ConfigError(f"market {spec!r}: expected {_FORMS}")


def _synthetic(rest: str, from_ms: int | None) -> SyntheticMarket:
    seed, _, regime = rest.partition(":")
    regime = regime or DEFAULT_REGIME
    if not (seed.isascii() and seed.isdigit() and len(seed) <= 18):
        raise ConfigError(f"market synthetic:{rest}: the seed is a whole number of at most 18 digits")
    if regime not in REGIMES:
        raise ConfigError(f"market synthetic:{rest}: no such regime", hint=f"one of {', '.join(sorted(REGIMES))}")
    if from_ms is not None:
        raise ConfigError("a start time belongs to a recording; a synthetic market always starts with its seed")
    return SyntheticMarket(int(seed), regime)


def _paths(rest: str) -> list[Path]:
    paths = [Path(part).expanduser() for part in rest.split(",") if part]
    doubled = sorted({str(path) for path in paths if paths.count(path) > 1})
    if doubled:
        raise ConfigError(f"{doubled[0]} is named twice")
    if not paths:
        raise ConfigError(f"market recorded:{rest}: expected {_FORMS}")
    return paths
