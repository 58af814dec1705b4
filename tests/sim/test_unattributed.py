"""Entries that nothing explains, in the report's figures: recomputed from the venue's own books and the plain rows.

The drill of a phantom position runs the engine; its journal is folded as `roundtrip report` folds one. Beside it stands
arithmetic on the oracle's fills and income and on the journal's bytes, which knows nothing of pairing or tie-out.
"""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from gridops.decide import tieout
from gridops.decide.roundtrip_pairing import Pairing
from gridops.runtime import codec
from gridops.runtime.ports_journal import InputRow
from gridops.sim.day import ACCOUNT
from gridops.sim.drill_day import DrillDay
from gridops.sim.drill_run import run_drill
from gridops.sim.drill_spec import read_drill
from gridops.usecases import roundtrip
from gridops.usecases.roundtrip_read import Fold, History

pytestmark = pytest.mark.simulation

PHANTOM = Path(__file__).resolve().parents[2] / "fixtures" / "drills" / "phantom-position.toml"


def said(bodies: tuple[bytes, ...], name: str) -> Iterator[dict[str, Any]]:
    """Records of one type, as plain JSON."""
    for body in bodies:
        for kind, held in json.loads(body)[3]:
            if kind == name:
                yield held


def folded(bodies: tuple[bytes, ...]) -> History:
    fold = Fold("main")
    for body in bodies:
        stored = codec.decode_row(body)
        fold.take(InputRow(stored.header.seq, stored.header.wall_ms, stored.kind, body))
    return fold.result()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_negative_trades_and_residuals_are_the_unattributed_entries_and_nothing_else(seed: int) -> None:
    days: list[DrillDay] = []
    report = run_drill(read_drill(PHANTOM), seed, prepare=days.append)
    assert report.ok, report.checks
    day = days[0]
    truth, start_ms = day.core.truth(), day.start_ms
    entries = [row for row in said(report.bodies, "Booked") if row["kind"] == "unattributed"]
    moved, paid = [row for row in entries if row["lots"]], [row for row in entries if Decimal(row["amount"])]
    assert moved and paid

    history = folded(report.bodies)
    symbol = history.fills[day.symbol]
    negative = [
        (symbol.sign[at] * symbol.lots[at], symbol.price[at], symbol.at_ms[at])
        for at, trade in enumerate(symbol.trade_id)
        if trade < 0
    ]
    assert sorted(negative) == sorted((row["lots"], row["price_ticks"], row["at_ms"]) for row in moved)

    unlisted = day.rest.unlisted
    fills = [row for row in truth["fills"] if row["account"] == ACCOUNT and int(row["time"]) >= start_ms]
    hidden = [row for row in fills if int(row["id"]) in unlisted]
    step = symbol.instrument.step_size

    def lots(rows: list[dict[str, Any]]) -> int:
        return sum(int(Decimal(row["qty"]) / step) * (1 if row["side"] == "BUY" else -1) for row in rows)

    assert hidden and lots(hidden) == sum(row["lots"] for row in moved)
    pairing = Pairing(symbol)
    list(pairing.run())
    held = truth["accounts"][ACCOUNT]["positions"][day.symbol]["lots"]
    assert pairing.books.position == lots(fills) == held

    tied = roundtrip.tie(history)
    causes = [cause for cause in tieout.causes(tied.days) if cause.what != "wallet_unexplained"]
    assert {(cause.what, cause.kind) for cause in causes} == {("missing_at_venue", "UNATTRIBUTED")}
    assert sum(cause.ours for cause in causes) == sum(Decimal(row["amount"]) for row in paid)
    names = {str(number) for number in unlisted}
    lost = sum(
        Decimal(row["income"]) for row in truth["income"] if row["account"] == ACCOUNT and row["tradeId"] in names
    )
    assert lost == sum(Decimal(row["amount"]) for row in paid)
    assert sum(each.wallet - each.ledger for each in tied.days) == 0
    assert sum(each.wallet - each.income for each in tied.days) == lost
