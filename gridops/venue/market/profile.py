"""One quick look through a recording file: what it holds, where its update chain begins and ends.

Sits under the recorded source, which decides with it how files join. It refuses files that cannot be read to the end,
that hold no market data, or another kind of market; it does not judge rows.
"""

from pathlib import Path
from statistics import median_low

from gridops.domain.values import record
from gridops.errors import RecordingError
from gridops.venue.market.raw_lines import AggTrade, Damage, Depth, Mark, Payload, Snapshot, Ticker, Trade, read
from gridops.venue.market.specs import quote_of

_SAMPLED_ROWS = 2_000


@record
class Profile:
    """`first_pu` and `last_u` are the ends of each symbol's diff chain; times are event times."""

    path: Path
    symbols: tuple[str, ...]
    with_snapshot: frozenset[str]
    with_trades: frozenset[str]
    with_marks: frozenset[str]
    first_pu: dict[str, int]
    last_u: dict[str, int]
    first_ms: int
    last_ms: int
    skew_ms: int
    """Median of receive time minus event time: the recorder's clock error."""
    prices: dict[str, set[str]]
    quantities: dict[str, set[str]]
    """Decimal strings seen early on, to recognise tick and step."""


def profile(path: Path) -> Profile:
    """Read the whole file once. Raises RecordingError naming the file, and the line where there is one."""
    look = _Look(path)
    damage: tuple[int, str] | None = None
    for line in read(path, tickers=False):
        if isinstance(line.payload, Damage):
            damage = damage or (line.number, line.payload.why)
        else:
            look.take(line.payload, line.received_ms)
    if not look.first_pu:
        where = f"{path}:{damage[0]}: {damage[1]}; " if damage else f"{path}: "
        raise RecordingError(
            f"{where}no depth row of a USDT-margined perpetual in this file",
            hint="give raw websocket recordings: `<receive time> <JSON>` a line, gzip or plain",
        )
    return look.result()


def has_tickers(path: Path, symbol: str) -> bool:
    """Whether the file carries best bids and asks of a symbol. Reads until the first."""
    return any(isinstance(line.payload, Ticker) and line.payload.s == symbol for line in read(path, tickers=True))


class _Look:
    """Gathers the facts of one file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.first_pu: dict[str, int] = {}
        self._last_u: dict[str, int] = {}
        self._snapshots: set[str] = set()
        self._seen: dict[type, set[str]] = {Trade: set(), Mark: set(), AggTrade: set()}
        self._times: list[int] = []
        self._skews: list[int] = []
        self._rows: dict[str, int] = {}
        self._prices: dict[str, set[str]] = {}
        self._quantities: dict[str, set[str]] = {}

    def take(self, payload: Payload, received_ms: int) -> None:
        if isinstance(payload, Depth):
            self._depth(payload, received_ms)
        elif isinstance(payload, Snapshot):
            self._snapshots.add(payload.s)
            self._sample(payload.s, payload.bids, payload.asks)
        elif isinstance(payload, Trade | Mark | AggTrade):
            self._seen[type(payload)].add(payload.s)

    def _depth(self, row: Depth, received_ms: int) -> None:
        if row.s not in self.first_pu:
            self._check_symbol(row.s)
            self.first_pu[row.s] = row.pu or 0
        self._last_u[row.s] = row.u
        at_ms = row.T or row.E
        self._times.append(at_ms)
        self._skews.append(received_ms - at_ms)
        self._rows[row.s] = self._rows.get(row.s, 0) + 1
        if self._rows[row.s] <= _SAMPLED_ROWS:
            self._sample(row.s, row.b, row.a)

    def _check_symbol(self, symbol: str) -> None:
        if not (symbol.isalnum() and quote_of(symbol)):
            raise RecordingError(
                f"{self._path}: {symbol!r} is not a perpetual settled in a stable coin",
                hint="give a recording of a USDT-margined perpetual",
            )

    def _sample(self, symbol: str, *sides: list[tuple[str, str]]) -> None:
        for side in sides:
            self._prices.setdefault(symbol, set()).update(price for price, _ in side)
            self._quantities.setdefault(symbol, set()).update(quantity for _, quantity in side)

    def result(self) -> Profile:
        symbols = tuple(sorted(self.first_pu))
        self._adopt_unnamed(symbols)
        return Profile(
            path=self._path,
            symbols=symbols,
            with_snapshot=frozenset(self._snapshots),
            with_trades=frozenset(self._seen[Trade]),
            with_marks=frozenset(self._seen[Mark]),
            first_pu=self.first_pu,
            last_u=self._last_u,
            first_ms=self._times[0],
            last_ms=self._times[-1],
            skew_ms=median_low(self._skews),
            prices=self._prices,
            quantities=self._quantities,
        )

    def _adopt_unnamed(self, symbols: tuple[str, ...]) -> None:
        """A bare REST line does not name its symbol; in a file of one symbol there is no doubt."""
        if "" not in self._snapshots:
            return
        if len(symbols) > 1:
            raise RecordingError(
                f"{self._path}: a depth snapshot without symbol in a recording of {len(symbols)} symbols"
            )
        self._snapshots = {symbols[0]}
        self._prices.setdefault(symbols[0], set()).update(self._prices.pop("", ()))
        self._quantities.setdefault(symbols[0], set()).update(self._quantities.pop("", ()))
