"""Plans of remedies against fixtures: every kind, severity and stage of confirmation, and digests that repeat."""

import json
import os
import subprocess
import sys
import time
from itertools import permutations, product
from pathlib import Path
from typing import Any

import pytest
from gridops.decide import sync
from gridops.decide.remedies import SWITCHES, Finding, RemedyPlan, Side, World, plan
from gridops.decide.sync_table import BOOKS, ORDER, ROWS, TABLE, WRITES, Remedy, fill_severity, residual_severity
from gridops.domain.orders import Order, VenueOrder
from gridops.domain.vocabulary import MismatchKind, OrderState, OrderType, Severity, TimeInForce
from gridops.domain.vocabulary import Side as OrderSide

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "sync"
CASES: list[dict[str, Any]] = [
    {"file": path.name, **case} for path in sorted(FIXTURES.glob("*.json")) for case in json.loads(path.read_text())
]
STAGES = ("once", "confirmed", "explained")
ALL = frozenset(Remedy)


def world_of(case: dict[str, Any]) -> World:
    said = case["finding"]
    finding = Finding(
        kind=MismatchKind(said["kind"]),
        severity=Severity(said["severity"]),
        symbol=said["symbol"],
        key=said["key"],
        local=said["local"],
        venue=said["venue"],
        reads=1 if case["stage"] == "once" else 2,
        confirmed=case["stage"] != "once",
        explained=case["stage"] == "explained",
    )
    return World(sides=(side(),), findings=(finding,), refusals=(), auto=frozenset({"import", "adopt"}))


def side(**changed: Any) -> Side:
    known: dict[str, Any] = {
        "symbol": "BTCUSDT",
        "local_lots": 2,
        "venue_lots": 5,
        "venue_read_ms": 1,
        "local_orders": ("go1 open BUY 3@640000 filled 0",),
        "venue_orders": ("go1 NEW BUY 3@640000 filled 0",),
        "wce_units": 5_200_000,
        "cap_units": 9_000_000,
        "mark_ticks": 650_000,
        "max_order_units": 2_000_000,
    }
    return Side(**{**known, **changed})


def allow(_remedy: Remedy, _finding: Finding) -> str:
    return ""


def judged(case: dict[str, Any]) -> RemedyPlan:
    return plan(world_of(case), allow)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['finding']['kind']}-{case['name']}")
def test_fixture(case: dict[str, Any]) -> None:
    (item,) = judged(case).items
    told = {
        "remedy": item.remedy.value,
        "safe": item.safe,
        "automatic": item.automatic,
        "writes": item.writes,
        "ready": item.ready,
        "lots": item.lots,
        "gates": [name for name, _ in item.gates],
    }
    assert told == case["expect"]


def test_the_fixtures_hold_every_kind_severity_and_stage() -> None:
    held = {(c["finding"]["kind"], c["finding"]["severity"], c["stage"]) for c in CASES}
    assert held == {(row.kind, severity, stage) for row in TABLE for severity in row.severities for stage in STAGES}


def test_the_table_names_every_kind_once() -> None:
    assert [row.kind for row in TABLE] == list(dict.fromkeys(row.kind for row in TABLE))
    assert set(ROWS) == set(MismatchKind)
    assert set(ORDER) == ALL


def test_digests_repeat_and_differ_between_cases_that_differ() -> None:
    first, again = [judged(case).digest for case in CASES], [judged(case).digest for case in CASES]
    assert first == again
    ready = [judged(case) for case in CASES if case["stage"] == "explained"]
    assert len({each.digest for each in ready}) >= len({case["finding"]["kind"] for case in CASES})


def test_digests_do_not_depend_on_the_hash_seed() -> None:
    program = (
        "from tests.decide.test_remedies import CASES, judged; from hashlib import sha256;"
        "print(sha256(''.join(judged(case).digest for case in CASES).encode()).hexdigest())"
    )
    told = set()
    for seed in ("0", "1", "4242"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
        )
        told.add(done.stdout)
    assert len(told) == 1


def test_the_order_of_detection_changes_neither_plan_nor_digest() -> None:
    """What may explain a difference comes before what accepts it, and both before a reduction."""
    chosen = [case for case in CASES if case["stage"] == "explained" and case["finding"]["severity"] != "info"][::3][:5]
    findings = [world_of(case).findings[0] for case in chosen]
    plans = [
        plan(World(sides=(side(),), findings=told, refusals=(), auto=frozenset()), allow)
        for told in permutations(findings)
    ]
    assert len({each.digest for each in plans}) == 1
    assert all(each.items == plans[0].items for each in plans)
    ranks = [ORDER[item.remedy] for item in plans[0].items]
    assert ranks == sorted(ranks)


@pytest.mark.parametrize(
    "closed", list(product((False, True), repeat=5)), ids=lambda bits: "".join(str(int(b)) for b in bits)
)
def test_only_the_all_clear_cell_may_be_applied_and_the_others_name_their_first_gate(closed: tuple[bool, ...]) -> None:
    refusals = tuple((name, "closed") for name, shut in zip(SWITCHES, closed, strict=True) if shut)
    finding = world_of(CASES[0]).findings[0]
    orphan = Finding(
        kind=MismatchKind.ORDER_ORPHAN_OWN, severity=Severity.WARN, symbol="BTCUSDT", key="go9", local="unknown",
        venue="BUY 1@640000", reads=2, confirmed=True,
    )  # fmt: skip
    made = plan(World(sides=(side(),), findings=(finding, orphan), refusals=refusals, auto=frozenset()), allow)
    first = next((name for name, shut in zip(SWITCHES, closed, strict=True) if shut), "")
    assert made.refused_by.split(":")[0] == first


def test_a_write_asks_the_ordinary_gates_too() -> None:
    case = next(c for c in CASES if c["finding"]["kind"] == "order_orphan_own" and c["stage"] == "confirmed")
    made = plan(world_of(case), lambda _remedy, _finding: "fsm INIT permits no cancel")
    assert made.refused_by == "chain: fsm INIT permits no cancel"


@pytest.mark.parametrize(("lots", "expected"), [(20, -3), (-20, 3), (14, -1), (13, 0), (0, 0)])
def test_a_position_past_its_cap_is_reduced_by_one_capped_order(lots: int, expected: int) -> None:
    world = World(
        sides=(side(local_lots=lots, venue_lots=lots, wce_units=abs(lots) * 650_000),),
        findings=(), refusals=(), auto=frozenset(),
    )  # fmt: skip
    made = plan(world, allow).items
    assert [item.lots for item in made] == ([expected] if expected else [])
    assert all(item.remedy is Remedy.REDUCE and item.writes and not item.automatic for item in made)
    assert all(item.wce_after < item.wce_before for item in made)


def test_books_that_disagree_are_never_reduced_on() -> None:
    world = World(sides=(side(local_lots=30, venue_lots=20),), findings=(), refusals=(), auto=frozenset())
    assert plan(world, allow).items == ()


def test_the_digest_covers_orders_and_positions_of_both_sides() -> None:
    case = next(c for c in CASES if c["finding"]["kind"] == "position_qty" and c["stage"] == "explained")
    base = world_of(case)
    told = {judged(case).digest}
    for changed in (
        {"local_lots": 3},
        {"venue_lots": 6},
        {"local_orders": ()},
        {"venue_orders": ("go1 NEW BUY 3@640001 filled 0",)},
    ):
        world = World(sides=(side(**changed),), findings=base.findings, refusals=(), auto=base.auto)
        told.add(plan(world, allow).digest)
    assert len(told) == 5
    other = side(symbol="ETHUSDT", local_lots=9, venue_lots=9)
    beside = World(sides=(*base.sides, other), findings=base.findings, refusals=(), auto=base.auto)
    assert plan(beside, allow).digest == judged(case).digest, "a symbol without a remedy may go on trading"


def test_no_remedy_that_needs_a_decision_is_safe_or_writes_by_itself() -> None:
    for case in CASES:
        (item,) = judged(case).items
        assert not (item.writes and item.automatic)
        assert item.remedy not in BOOKS | WRITES or item.gates
        assert not (item.remedy is Remedy.UNATTRIBUTED and (item.safe or item.automatic))


def test_two_hundred_symbols_and_two_thousand_orders_cost_a_quarter_of_a_second_at_most() -> None:
    """One pass: every list of open orders judged, every symbol planned. CPU of this thread, the best of three."""
    names = [f"S{at:03d}USDT" for at in range(200)]
    ids_of = {name: [f"goabcd{at:026d}" for at in range(10)] for name in names}
    listed = {name: [_listed(name, client_id) for client_id in ids_of[name]] for name in names}
    working = {name: {client_id: _working(name, client_id) for client_id in ids_of[name]} for name in names}
    findings = tuple(
        Finding(
            kind=MismatchKind.POSITION_QTY, severity=Severity.WARN, symbol=name, key="position", local="2", venue="5",
            reads=2, confirmed=True, explained=True,
        )
        for name in names
    )  # fmt: skip
    spent = []
    for _ in range(3):
        began = time.thread_time()
        for name in names:
            sync.judge_orders(listed[name], working[name], {}, tag="abcd", epoch=1, asked_ms=10_000)
        sides = tuple(
            side(
                symbol=name,
                local_orders=tuple(f"{o.client_id} {o.state} {o.lots}@{o.price_ticks}" for o in working[name].values()),
                venue_orders=tuple(f"{o.client_id} NEW {o.lots}@{o.price_ticks}" for o in listed[name]),
            )
            for name in names
        )
        made = plan(World(sides=sides, findings=findings, refusals=(), auto=frozenset()), allow)
        spent.append(time.thread_time() - began)
    assert len(made.items) == len(names)
    assert min(spent) < 0.25, spent


def _listed(symbol: str, client_id: str) -> VenueOrder:
    return VenueOrder(
        client_id=client_id, venue_id=client_id, symbol=symbol, side=OrderSide.BUY, price_ticks=640_000, lots=3,
        filled_lots=0, reduce_only=False, order_type="LIMIT", tif="GTX", status="NEW", updated_ms=5,
    )  # fmt: skip


def _working(symbol: str, client_id: str) -> Order:
    return Order(
        client_id=client_id, symbol=symbol, side=OrderSide.BUY, level=-1, price_ticks=640_000, lots=3,
        reduce_only=False, order_type=OrderType.LIMIT, tif=TimeInForce.GTX, state=OrderState.OPEN, epoch=1,
        created_ms=5, updated_ms=5,
    )  # fmt: skip


def test_thresholds() -> None:
    assert fill_severity(4, 5) is Severity.WARN and fill_severity(-5, 5) is Severity.CRITICAL
    assert residual_severity(9, 10_000) is Severity.WARN and residual_severity(-11, 10_000) is Severity.CRITICAL
