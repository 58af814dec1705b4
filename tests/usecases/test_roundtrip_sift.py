"""Reading many rows at a time, by several processes or after their death, tells what reading row by row tells."""

import random
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import apsw
import pytest
from gridops.adapters import journal_columns, journal_sift
from gridops.adapters.journal_fields import column_e8
from gridops.adapters.journal_reader import JournalReader
from gridops.decide.roundtrip_fills import Fills
from gridops.domain.records import Booked, Filled, Record
from gridops.domain.vocabulary import Side
from gridops.errors import JournalError
from gridops.usecases import roundtrip_read, roundtrip_sifters
from gridops.usecases.roundtrip_read import Fold, History
from gridops.usecases.roundtrip_sifters import _Helper
from tests.usecases import roundtrip_journal as kit
from tests.usecases.roundtrip_journal import OPENING, START_MS, SYMBOLS, Row, Story, boot


def _busy(seed: int, fills: int = 120) -> Story:
    """Trades of two symbols that overlap, fees in two assets, rows read twice, a restart, late and lonely records."""
    chance, story, at = random.Random(seed), Story(), START_MS
    story.say(at, boot(1))
    story.read(at + 1_000, OPENING)
    for trade in range(1, fills + 1):
        at += chance.choice([0, 5, 1_000])
        symbol, side = chance.choice(SYMBOLS), chance.choice([Side.BUY, Side.SELL])
        story.fill(
            at + 2_000, symbol, trade, side, 600_000 + chance.randint(-40, 40) * 10, chance.randint(1, 3),
            chance.randint(-3, 3), order=f"o{trade // 2}-{symbol}{side.value}",
            fee_asset=chance.choice(["USDT", "USDT", "BNB"]),
        )  # fmt: skip
        if chance.random() < 0.1:
            paid = story.fund(at + 2_000, symbol, f"{chance.randint(-9, 9)}.00000001")
            story.income(at + 2_010, *chance.choice([(), (paid,)]), since_ms=START_MS)
        if chance.random() < 0.05:
            story.say(at + 2_020, boot(2))
    story.read(at + 100_000)
    story.income(at + 200_000)
    return story


def _spoiled(rows: list[Row], seed: int) -> Iterator[Row]:
    """Records that move to the row before, come again, vanish, or say another position."""
    chance = random.Random(seed)
    held: list[Record] = []
    for at_ms, event, records in rows:
        said = held + records
        held = []
        filled = [each for each in said if isinstance(each, Filled)]
        lot = chance.random()
        if filled and lot < 0.05:
            held = said
            said = []
        elif filled and lot < 0.10:
            said = [*said, replace(filled[0], position_lots=filled[0].position_lots + 1)]
        elif filled and lot < 0.13:
            said = [each for each in said if each is not filled[0]]
        elif lot > 0.97:
            said = [Booked(kind="adl", asset="USDT", symbol="BTCUSDT", amount=Decimal(1), tran_id="w1", at_ms=at_ms)]
        yield at_ms, event, said


def _said(history: History) -> dict[str, Any]:
    """Everything a history tells; orders by what they are the same as, their numbers being free."""
    numbers: dict[int, int] = {}
    fills = {
        symbol: [
            [
                numbers.setdefault(value, len(numbers)) if name == "order" and value else value
                for value in getattr(held, name)
            ]
            for name in Fills.__slots__
            if hasattr(getattr(held, name), "typecode")
        ]
        + [held.opening_lots, held.opening_price, held.opening_ms, held.assets, held.funding, held.regimes]
        for symbol, held in sorted(history.fills.items())
    }
    marks = {symbol: (list(held.times), list(held.mid2)) for symbol, held in history.marks.items()}
    sides = [
        {key: sorted(zip(held.ref, held.at_ms, held.amount_e8, strict=True)) for key, held in side.streams.items()}
        for side in (history.booked(), history.venue)
    ]
    whole = (history.rows, history.as_of_ms, history.covered_ms, history.opened, history.doubles, history.reads)
    return {"fills": fills, "marks": marks, "sides": sides, "whole": whole}


def _row_by_row(path: Path) -> History:
    with JournalReader(path) as journal:
        fold = Fold(journal.meta().account)
        newest = journal.last_row()
        assert newest is not None
        for row in journal.rows(0, newest.seq):
            fold.take(row)
        return fold.result()


@pytest.mark.parametrize("seed", range(12))
def test_columns_tell_what_rows_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    rows = _busy(seed).rows
    path = tmp_path / "j.db"
    monkeypatch.setattr(journal_columns, "ROWS", 1 << 30)
    kit.write(path, list(_spoiled(rows, seed)) if seed % 2 else rows)
    plain = _said(_row_by_row(path))
    together, taken = [125, 6, 2][seed % 3], []
    take_all = journal_sift._Batch.take_all

    def counted(batch: journal_sift._Batch, some: Any) -> bool:
        taken.append(take_all(batch, some))
        return taken[-1]

    monkeypatch.setattr(journal_sift, "_TOGETHER", together)
    monkeypatch.setattr(journal_sift._Batch, "take_all", counted)
    quick = _said(roundtrip_read.read(path))
    assert quick == plain
    assert together > 100 or {True, False} == set(taken)
    assert seed % 2 or len(quick["fills"]["BTCUSDT"][0]) > 30


AMOUNTS = ["0.02399280", "-0.00000001", "0E-8", "0", "12345.00000000", "-7", "0.5", "1E+2", "0.123456780"]


@pytest.mark.parametrize("seed", range(20))
def test_many_amounts_are_the_whole_figures_of_each(seed: int) -> None:
    chance = random.Random(seed)
    held = chance.choices(AMOUNTS[: chance.choice([2, 5, 9])], k=seed)
    assert column_e8(held) == [int(Decimal(each) * 10**8) for each in held]


@pytest.mark.parametrize("seed", range(20))
def test_ids_are_known_once_they_were_booked_in_whatever_order(seed: int) -> None:
    chance, held, ids, next_id = random.Random(seed), set[int](), roundtrip_read._Ids(), 1
    for _ in range(30):
        some = [next_id + step for step in range(chance.randint(1, 4))]
        next_id = some[-1] + 1
        if chance.random() < 0.3:
            some[chance.randrange(len(some))] = chance.randint(1, next_id)
        assert ids.lack(some) == held.isdisjoint(some)
        assert [each in ids for each in range(next_id + 2)] == [each in held for each in range(next_id + 2)]
        if chance.random() < 0.8:
            ids.update(some)
            held.update(some)


def test_an_amount_finer_than_the_venues_is_refused_among_many() -> None:
    with pytest.raises(ValueError, match="finer than"):
        column_e8(["0.02399280", "0.000000001"])


@pytest.fixture
def helped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes from the first row on, whatever the machine has; the journal has no columns."""
    monkeypatch.setattr(journal_columns, "ROWS", 1 << 30)
    monkeypatch.setattr(roundtrip_sifters, "WORTH_IT", 1)
    monkeypatch.setattr(roundtrip_sifters, "STRETCH", 40)
    monkeypatch.setattr(roundtrip_sifters, "_processors", lambda: 2)


@pytest.mark.usefixtures("helped")
def test_processes_tell_the_same(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    kit.write(path, list(_spoiled(_busy(3).rows, 3)))
    assert _said(roundtrip_read.read(path)) == _said(_row_by_row(path))


@pytest.mark.usefixtures("helped")
@pytest.mark.parametrize("answers", [0, 1, 3])
def test_a_process_that_dies_costs_time_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answers: int
) -> None:
    path = tmp_path / "j.db"
    kit.write(path, _busy(4).rows)
    left, answered = [answers], _Helper.answer

    def dies(helper: _Helper) -> Any:
        left[0] -= 1
        if left[0] < 0 and helper._process is not None:
            helper._process.kill()
            helper._process.wait()
        return answered(helper)

    monkeypatch.setattr(_Helper, "answer", dies)
    assert _said(roundtrip_read.read(path)) == _said(_row_by_row(path))
    assert left[0] < 0


@pytest.mark.usefixtures("helped")
def test_without_processes_this_one_does_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "j.db"
    kit.write(path, _busy(5).rows)
    monkeypatch.setattr("sys.executable", str(tmp_path / "none"))
    assert _said(roundtrip_read.read(path)) == _said(_row_by_row(path))


@pytest.mark.usefixtures("helped")
def test_a_row_that_cannot_be_accounted_for_is_named_whoever_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    kit.write(path, _busy(6).rows)
    with JournalReader(path) as journal:
        row = [each for each in journal.rows(0, 1 << 40) if b'[["Filled"' in each.body][40]
    at = row.body.index(b'"lots":', row.body.index(b'[["Filled"'))
    body = row.body[:at] + b'"lots":"x"' + row.body[row.body.index(b",", at) :]
    with closing(apsw.Connection(str(path))) as file:
        file.execute("UPDATE steps SET body = ? WHERE seq = ?", (body, row.seq))
    with pytest.raises(JournalError, match=f"journal row {row.seq} cannot be accounted for"):
        roundtrip_read.read(path)
