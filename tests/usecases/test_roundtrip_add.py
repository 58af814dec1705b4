"""Trips added up in two processes, cut where the account was flat, are those added up in one."""

import os
import pickle
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from gridops.adapters.home import Home, Located
from gridops.adapters.journal_sift import Part
from gridops.decide import roundtrip_totals
from gridops.decide.roundtrip_pairing import Pairing
from gridops.decide.roundtrip_totals import KEYS
from gridops.domain.vocabulary import Regime, Side
from gridops.usecases import roundtrip, roundtrip_add, roundtrip_read
from gridops.usecases.place import Place
from gridops.usecases.roundtrip import Report, Wanted
from gridops.usecases.roundtrip_add import Ahead, _Piece
from tests.usecases import roundtrip_journal as kit
from tests.usecases.roundtrip_journal import OPENING, START_MS, SYMBOLS, Story, boot
from tests.usecases.test_roundtrip_sift import _busy


def _place(folder: Path, seed: int) -> Place:
    home = Home(folder / "home")
    home.ensure()
    kit.write(home.journal("paper"), _busy(seed, 150).rows)
    located = Located(home=home, source="option")
    return Place(located=located, account="paper", config=None, evidence_root=folder / "evidence")


def _told(place: Place, wanted: Wanted) -> tuple[Report, Any]:
    found = roundtrip.report(place, wanted)
    assert found.evidence.evidence_dir is not None
    filed = (Path(found.evidence.evidence_dir) / "trips.jsonl").read_bytes()
    source = replace(found.source, age_ms=0, as_of_ms=0)
    nothing = replace(found.evidence, evidence_dir=None, digest=None)
    said = replace(found, source=source, evidence=nothing, tieout_evidence=None)
    # Equal amounts may be written differently: what counts is what is printed, in its order.
    return said, (repr(said), filed)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("of", ["rung", "episode"])
def test_two_processes_count_what_one_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, of: str
) -> None:
    place = _place(tmp_path, seed)
    monkeypatch.setattr(roundtrip_totals, "MOST_STRETCHES", 9)
    monkeypatch.setattr(roundtrip_add, "FILED_TRIPS", 20)
    wanted = Wanted(of=of, by=list(KEYS)[seed % len(KEYS)], rates={"BNB": Decimal(600)} if seed % 2 else {})
    found, alone = _told(place, wanted)
    forks: list[int] = []
    fork = os.fork

    def forking() -> int:
        forks.append(1)
        return fork()

    monkeypatch.setattr(roundtrip_add, "WORTH_IT", 1)
    monkeypatch.setattr(os, "fork", forking)
    _, shared = _told(place, wanted)
    assert shared == alone
    assert forks or found.totals["episode"].trips < 3


@pytest.mark.parametrize("held", [0, 2])
def test_rows_counted_ahead_that_are_newer_than_the_compared_moment_are_counted_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: int
) -> None:
    """Also where a position was open before the first trade, which closes it."""
    story, at, symbol = Story(), START_MS, SYMBOLS[0]
    story.say(at, boot(1))
    if held:
        story._trade(symbol, Side.BUY, 600_000, held)
    story.read(at + 1_000, OPENING)
    if held:
        story.fill(at + 1_500, symbol, 1_000, Side.SELL, 600_100, held, 1)
    for trade in range(1_001, 1_061):
        at += 2_000
        story.fill(at, symbol, trade, (Side.SELL, Side.BUY)[trade % 2], 599_000 + trade, 1, 1)
        if trade == 1_020:
            story.read(at + 10_000)
            story.income(at + 20_000)
            at += 100_000
    home = Home(tmp_path / "home")
    home.ensure()
    kit.write(home.journal("paper"), story.rows)
    place = Place(located=Located(home=home, source="option"), account="paper", config=None, evidence_root=tmp_path)
    found, alone = _told(place, Wanted(rates={}))
    assert [law.ok for law in found.law] == [True]
    assert found.law[0].closed_net != found.totals["rung"].net
    begun: list[int] = []
    flat_row = Ahead._flat_row

    def noted(ahead: Ahead, count: int, share: float) -> int:
        begun.append(flat_row(ahead, count, share))
        return begun[-1]

    monkeypatch.setattr(Ahead, "_flat_row", noted)
    monkeypatch.setattr(roundtrip_add, "WORTH_IT", 1)
    assert _told(place, Wanted(rates={}))[1] == alone
    assert any(begun)


OLD_MS = START_MS + 41_000
LATE: dict[str, tuple[Callable[[Story, int], object], bool]] = {
    "newer trades": (lambda story, newest: _pair(story, newest, 901), True),
    "trades": (lambda story, _: _pair(story, OLD_MS, 901), False),
    "funding": (lambda story, newest: story.income(newest, story.fund(OLD_MS, SYMBOLS[0], "-1.5")), False),
    "a regime": (lambda story, _: story.say(OLD_MS, boot(2)), False),
    "a mid": (lambda story, _: story.mid(OLD_MS, SYMBOLS[0], 600_900), False),
}


def _pair(story: Story, at: int, trade: int) -> None:
    for number, side in enumerate((Side.BUY, Side.SELL)):
        story.fill(at + 7_000 * number, SYMBOLS[0], trade + number, side, 600_000 + trade, 1, 1)


@pytest.mark.parametrize("late", LATE)
def test_what_is_counted_while_the_journal_is_read_is_counted_again_when_older_rows_come_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, late: str
) -> None:
    story, at = Story(), START_MS
    story.say(at, boot(1))
    story.read(at + 1_000, OPENING)
    story.regime(at + 2_000, SYMBOLS[0], Regime.CALM)
    for trade in range(1, 60, 2):
        at += 20_000
        _pair(story, at, trade)
    say, held = LATE[late]
    say(story, at + 10_000)
    story.read(at + 200_000)
    story.income(at + 300_000)
    home = Home(tmp_path / "home")
    home.ensure()
    kit.write(home.journal("paper"), story.rows)
    place = Place(located=Located(home=home, source="option"), account="paper", config=None, evidence_root=tmp_path)
    wanted = Wanted(by="regime", rates={})
    _, alone = _told(place, wanted)
    tried: list[bool] = []
    holds = Ahead.holds

    def noted(ahead: Ahead, pairing: Pairing) -> bool:
        if ahead.pairing.fills is not pairing.fills:
            return holds(ahead, pairing)
        assert pairing.fills.at_ms[ahead.flat] > START_MS + 200_000
        assert len(ahead._pieces) > 2
        tried.append(holds(ahead, pairing))
        return tried[-1]

    monkeypatch.setattr(roundtrip_add, "WORTH_IT", 1)
    monkeypatch.setattr(roundtrip_read, "CHUNK", 1)
    monkeypatch.setattr(roundtrip_read, "PROGRESS_EVERY", 20)
    monkeypatch.setattr(_Piece, "ready", lambda _: True)
    monkeypatch.setattr(
        roundtrip_read, "parts", lambda _, first, last: (Part(at, at, 1, 0, True) for at in range(first, last + 1))
    )
    monkeypatch.setattr(Ahead, "holds", noted)
    assert _told(place, wanted)[1] == alone
    assert tried == [held]


@pytest.mark.parametrize("how", ["no process", "no answer"])
def test_without_the_other_process_its_part_is_counted_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    place = _place(tmp_path, 0)
    _, alone = _told(place, Wanted(rates={}))

    def fails(*_: object) -> Any:
        raise OSError("no")

    monkeypatch.setattr(roundtrip_add, "WORTH_IT", 1)
    monkeypatch.setattr(*((os, "fork", fails) if how == "no process" else (pickle, "dumps", fails)))
    _, shared = _told(place, Wanted(rates={}))
    assert shared == alone
