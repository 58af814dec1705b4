"""What may differ between our books and the venue, how bad each difference is, and what is done about it: one table.

Data only, read by the detectors of `runtime` and by `remedies`. A row says what a remedy may touch; nothing here
does it. A kind without a row does not exist: a test holds the table against the vocabulary.
"""

from enum import StrEnum

from gridops.domain.values import value
from gridops.domain.vocabulary import MismatchKind, Severity

K, S = MismatchKind, Severity


class Remedy(StrEnum):
    """What ends a difference. In this order they are carried out: what may explain a difference comes first."""

    IMPORT = "import"
    """Book the trades the venue lists and we do not, by id."""
    PROBE = "probe"
    """Ask for the one order by its id; the answer resolves it."""
    ADOPT = "adopt"
    """Take the venue's figure for a field of an order or a rule."""
    CANCEL = "cancel"
    """Cancel an order that carries our tag and that we did not know."""
    UNATTRIBUTED = "unattributed"
    """Book what no trade or income row explains as an entry of its own; the venue's figure wins."""
    REDUCE = "reduce"
    """Reduce a position to its cap, reduce-only."""
    FREEZE = "freeze"
    """Raise no risk on the symbol; the operator changes it at the venue."""
    LEAVE = "leave"
    """Not ours: looked at, never touched."""
    DISCARD = "discard"
    """Believe nothing of this read, and read again."""


@value
class Row:
    """One kind. `severities` from mild to grave; `threshold` says what makes it graver."""

    kind: MismatchKind
    severities: tuple[Severity, ...]
    threshold: str
    remedy: Remedy
    impact: str
    """What the difference means for trading, for the operator."""


TABLE: tuple[Row, ...] = (
    Row(K.FILL_MISSING, (S.WARN, S.CRITICAL), "CRITICAL when the worst case grows by a rung", Remedy.IMPORT,
        "the position was another than our books said"),
    Row(K.POSITION_QTY, (S.WARN, S.CRITICAL), "WARN below one rung, CRITICAL from one rung on", Remedy.UNATTRIBUTED,
        "every size and limit is judged on the larger figure"),
    Row(K.POSITION_SIDE, (S.CRITICAL,), "a wrong sign is always CRITICAL", Remedy.UNATTRIBUTED,
        "what we call a reduction would raise risk"),
    Row(K.ORDER_MISSING_AT_VENUE, (S.WARN,), "-", Remedy.PROBE, "the level may stand bare, or may have filled"),
    Row(K.ORDER_ORPHAN_OWN, (S.WARN,), "-", Remedy.CANCEL, "an order of ours may fill outside the ladder"),
    Row(K.ORDER_FOREIGN, (S.INFO, S.WARN), "WARN on our symbols", Remedy.LEAVE,
        "another hand may move the position; the dead-man switch would cancel this order too"),
    Row(K.ORDER_FIELD_DIVERGED, (S.WARN,), "-", Remedy.ADOPT, "the order rests elsewhere or larger than planned"),
    Row(K.MODE_CHANGED, (S.CRITICAL,), "-", Remedy.FREEZE,
        "reduce-only and signed positions mean something else; set one-way, single-asset, cross at the venue"),
    Row(K.LEVERAGE_CHANGED, (S.WARN,), "-", Remedy.FREEZE,
        "margin and liquidation price moved; restore it at the venue, or restart to accept it"),
    Row(K.FILTERS_CHANGED, (S.WARN, S.CRITICAL), "CRITICAL when tick or step changed", Remedy.ADOPT,
        "orders outside the new rules are refused; a new tick or step needs a fresh journal"),
    Row(K.BALANCE_RESIDUAL, (S.WARN, S.CRITICAL), "WARN above dust, CRITICAL above a tenth of a percent",
        Remedy.UNATTRIBUTED, "no income row explains the wallet; `gridops roundtrip report` names the rows"),
    Row(K.DUPLICATE_KEY, (S.WARN,), "-", Remedy.DISCARD, "one read tells two stories about one id"),
    Row(K.TIME_REGRESSION, (S.WARN,), "-", Remedy.DISCARD, "the read shows an older account than the one before"),
    Row(K.MALFORMED, (S.WARN,), "-", Remedy.DISCARD, "the venue answered what cannot be read"),
)  # fmt: skip
ROWS = {row.kind: row for row in TABLE}
ORDER = {remedy: at for at, remedy in enumerate(Remedy)}
WRITES = frozenset({Remedy.CANCEL, Remedy.REDUCE})
"""Remedies that send a request which changes something at the venue."""
BOOKS = frozenset({Remedy.IMPORT, Remedy.ADOPT, Remedy.UNATTRIBUTED, Remedy.PROBE})
"""Remedies that change our books alone, by what the venue says."""
SAFE = frozenset({Remedy.IMPORT, Remedy.PROBE, Remedy.ADOPT, Remedy.CANCEL})
"""Each follows from a statement of the venue about one id. The others need somebody to accept a figure."""
RESIDUAL_LIMIT_BPS = 10
LABELS = {
    Remedy.IMPORT: "import_trades",
    Remedy.PROBE: "probe_order",
    Remedy.ADOPT: "adopt_field",
    Remedy.CANCEL: "cancel_orphan",
    Remedy.UNATTRIBUTED: "book_unattributed",
    Remedy.REDUCE: "reduce_to_cap",
    Remedy.FREEZE: "freeze_symbol",
    Remedy.LEAVE: "leave_alone",
    Remedy.DISCARD: "discard_read",
}
"""What metrics call them."""


def residual_severity(apart_micro: int, wallet_micro: int) -> Severity:
    """Of a wallet that our books do not explain, both in millionths of the asset."""
    limit = abs(wallet_micro) * RESIDUAL_LIMIT_BPS // 10_000
    return S.CRITICAL if abs(apart_micro) > limit else S.WARN


def fill_severity(lots: int, rung_lots: int) -> Severity:
    """Of trades found late: CRITICAL when they moved the position by a rung."""
    return S.CRITICAL if abs(lots) >= max(1, rung_lots) else S.WARN
