"""One level at a time, the router answers as a second opinion worked out from the case's text does."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from gridops.decide.router_cases import answer, read_case
from tests.decide.router_oracle import OutOfDomain, expected
from tests.effort import examples

CASES_FILE = Path(__file__).resolve().parents[2] / "fixtures" / "router" / "decisions.jsonl"
CASES: list[dict[str, Any]] = [json.loads(line) for line in CASES_FILE.read_text().splitlines()]


def test_the_table_says_what_the_second_opinion_says() -> None:
    judged, wrong = 0, []
    for raw in CASES:
        try:
            found = expected(raw)
        except OutOfDomain:
            continue
        judged += 1
        same = sorted(found["choices"]) == sorted(raw["expect"]["choices"]) and found["ops"] == raw["expect"]["ops"]
        wrong += [] if same else [(raw["name"], found, raw["expect"])]
    assert wrong == []
    assert judged >= 450


@pytest.mark.parametrize("seed", range(examples(30)))
def test_random_levels_get_the_answer_of_the_second_opinion(seed: int) -> None:
    chance = random.Random(seed)
    for number in range(200):
        raw = some_case(chance)
        found, got = expected(raw), answer(read_case(raw).run())
        where = f"seed {seed}, case {number}: {json.dumps(raw)}"
        assert sorted(got["choices"]) == sorted(found["choices"]), where
        assert got["ops"] == found["ops"], where


def some_case(chance: random.Random) -> dict[str, Any]:
    """One level in any state, near every limit that a rule knows."""
    level = chance.choice((-1, 1, -3, 4))
    sign = -1 if level < 0 else 1
    price = 10_000 + sign * chance.choice((10, 12, 30, 31, 60))
    ctx = some_context(chance, level)
    raw: dict[str, Any] = {"name": "random", "targets": [], "orders": [], "ctx": ctx}
    if chance.random() < 0.85:
        off = chance.choice((0, 0, 1, 19, 20, 21, 40, -20, -21, -45))
        target = {"level": level, "price": price + sign * off, "lots": chance.choice((100, 100, 80, 79, 120, 126, 50))}
        raw["targets"].append(target)
        if chance.random() < 0.3:
            target["ro"] = True
        if chance.random() < 0.15:
            target["wait"] = chance.choice((1_000_000, 1_000_500))
    if chance.random() < 0.85 or not raw["targets"]:
        raw["orders"].append(some_order(chance, level, price))
    return raw


def some_order(chance: random.Random, level: int, price: int) -> dict[str, Any]:
    order: dict[str, Any] = {"id": "a", "level": level, "price": price, "lots": chance.choice((100, 100, 150, 101))}
    if chance.random() < 0.3:
        order["filled"] = chance.choice((10, 50, 60, 99))
        order["filled_ms"] = chance.choice((1, 999_799, 999_800, 999_801, 999_950))
    if chance.random() < 0.3:
        order["ro"] = True
    if chance.random() < 0.1:
        order["tif"] = "GTC"
    if chance.random() < 0.15:
        order["amends"] = chance.choice((9_989, 9_990, 9_991))
    if chance.random() < 0.15:
        order["state"] = chance.choice(("UNKNOWN", "SENT", "INTENT", "CANCELED"))
    elif chance.random() < 0.15:
        pending = chance.choice((["amend", price + 15, 100], ["cancel", 0, 0]))
        order["pending"] = [*pending, True] if chance.random() < 0.4 else pending
    return order


def some_context(chance: random.Random, level: int) -> dict[str, Any]:
    held = chance.choice((0, 0, 60, 100, 150, -60, -100))
    ctx: dict[str, Any] = {"position_lots": held, "venue_position_lots": chance.choice((held, held, held, 0, None))}
    side = "BUY" if level < 0 else "SELL"
    menu: list[tuple[str, Any]] = [
        ("rate_low", True),
        ("order_slots", 0),
        ("allow_increase", False),
        ("refused", [[level, side, chance.choice((2, 3)), chance.choice((999_999, 1_000_001))]]),
        ("refuse", {chance.choice(("increase", "reduce", "cancel")): chance.choice(("drawdown", "exposure", "fsm"))}),
        ("orphans", ["a"]),
        ("sweep", chance.choice(("kill", "stop"))),
        ("cap_units", chance.choice((1_000_000, 1_001_000, 1_200_000, 1_500_000))),
        ("rules", {chance.choice(("hold_band_pct", "hold_lots_pct")): 50}),
        ("rules", {"amend_supported": False}),
        ("instrument", {chance.choice(("min_lots", "max_lots")): 100}),
        ("bid_ticks", chance.choice((9_990, 0))),
        ("replacing", {str(level): "a"}),
    ]
    for name, held in menu:
        if chance.random() < 0.07:
            ctx[name] = held
    return ctx
