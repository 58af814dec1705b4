"""Every condition, by its real detector through the composed graph: a scene on the emulator changes the state.

The production engine, its adapter's parsing and its turns run in virtual time. A scene proves nothing unless it turns
red without its detector, so each is played once more with that detector silent.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from gridops.decide import health
from gridops.decide.levels import CONDITIONS, Edge
from gridops.domain.events import OperatorInput
from gridops.domain.market import Signal
from gridops.domain.vocabulary import FsmReason, FsmState, OperatorCommand
from gridops.runtime import facts
from gridops.sim import day as day_module
from gridops.sim.day import WARM_NS
from gridops.sim.drill_day import DrillDay
from gridops.sim.drill_run import DrillReport, run_drill
from gridops.sim.drill_spec import Drill, parse
from gridops.sim.market import ScriptMarket
from gridops.sim.scheduler import MS, SECOND, LinkRates
from gridops.venue.market.events import MarketEvent, SymbolSpec
from gridops.venue.market.specs import bundled
from tests.sim.condition_scenes import SCENES, WIRE, Scene, one

pytestmark = pytest.mark.simulation
OTHER = "ETHUSDT"
ROOT = Path(__file__).resolve().parents[2]


def drill(reason: FsmReason, scene: Scene) -> Drill:
    """The scene as the drill it could be."""
    expects: list[dict[str, Any]] = [
        {"that": "level", "reason": reason.value, "scope": scene.scope, "within_s": scene.within_s},
    ]
    if scene.moves is not None:
        entered = {"that": "state", "enters": scene.moves.value, "reason": reason.value, "within_s": scene.within_s}
        expects.append(entered)
    if scene.never:
        closes = f"level {reason} closes"
        names = [state.value for state in scene.never]
        expects.append({"that": "never", "enters": names, "since": f"level {reason} opens", "until": closes})
    if scene.ends is not None:
        expects.append({"that": "ends_in", "states": [scene.ends.value]})
    return parse(
        {
            "name": reason.value,
            "title": f"The condition {reason}",
            "shows": "Its detector changes the state.",
            "runbook": f"fsm#{reason}",
            "run_s": scene.run_s,
            "settings": {"health.dwell_seconds": 2, **scene.settings},
            "step": list(scene.steps),
            "expect": expects,
        },
        reason.value,
    )


def play(reason: FsmReason) -> DrillReport:
    scene = SCENES[reason]
    return run_drill(drill(reason, scene), 1, prepare=HOOKS[scene.hook])


def _nothing(_: DrillDay) -> None:
    """No defect."""


def _forgetful(day: DrillDay) -> None:
    """The book of trips loses a lot that the position still has."""

    def forget() -> None:
        state = day.state()
        lots = next(iter(state.symbols.values())).trips.lots if state is not None else []
        if lots:
            lots.pop()
        else:
            day.scheduler.after(SECOND, forget)

    day.scheduler.after(WARM_NS + 6 * SECOND, forget)


def _signal(name: str) -> Callable[[DrillDay], None]:
    """An operator sets a test signal for six seconds, a moment after the scene's mark."""

    def said(day: DrillDay) -> None:
        signal = Signal(name=name, scaled=1, as_of_ms=0, ttl_ms=6_000, source="operator test", digest="")
        wish = OperatorInput(
            command=OperatorCommand.SIGNAL, request_id="signal", author="test", reason="scene", signal=signal
        )
        day.scheduler.after(WARM_NS + 4_500 * MS, lambda: day._tell(wish))

    return said


HOOKS: Mapping[str, Callable[[DrillDay], None]] = {
    "": _nothing,
    "forget a lot": _forgetful,
    "loss_streak": _signal("loss_streak"),
    "maintenance": _signal("maintenance"),
}


def _told(report: DrillReport) -> str:
    checks = "\n".join(f"  {'ok ' if check.ok else 'RED'} {check.says}" for check in report.checks)
    moves = "\n".join(
        f"  {m.at_ms / 1e3:9.3f} {m.from_state} -> {m.to_state} {m.reason}: {m.detail}" for m in report.transitions
    )
    return f"{report.name}\n{checks}\n{moves}\n  {report.violation}"


@pytest.mark.parametrize("reason", SCENES, ids=str)
def test_the_detector_changes_the_state(reason: FsmReason) -> None:
    report = play(reason)
    assert report.ok, _told(report)


@pytest.mark.parametrize("reason", SCENES, ids=str)
def test_without_its_detector_the_scene_is_red(reason: FsmReason, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = health.detect

    def deaf(*given: Any) -> tuple[Edge, ...]:
        return tuple(edge for edge in whole(*given) if edge.reason is not reason)

    monkeypatch.setattr(health, "detect", deaf)
    report = play(reason)
    assert not report.ok, f"{reason} is not what this scene shows\n{_told(report)}"


def _late_market(day: DrillDay) -> None:
    """From the sixth second on every public frame is four seconds old when it comes in."""

    def late() -> None:
        day._market.rates = LinkRates(low_us=4_000_000, high_us=4_000_100)

    day.scheduler.after(WARM_NS + 6 * SECOND, late)


def _without_marks(day: DrillDay) -> None:
    """From the sixth second on the mark price stream alone is silent."""
    tell = day._tell_market

    def no_marks(payload: dict[str, Any]) -> None:
        if payload["e"] != "markPriceUpdate" or day.now_ms() < 6_000:
            tell(payload)

    day._tell_market = no_marks  # type: ignore[method-assign]


@pytest.mark.parametrize(
    ("prepare", "told", "within_s"),
    [(_late_market, "book", 8), (_without_marks, "mark price", 12)],
    ids=["by the events' own time", "by the age of the mark alone"],
)
def test_a_feed_is_stale(prepare: Callable[[DrillDay], None], told: str, within_s: int) -> None:
    silent = Scene(
        moves=FsmState.DEGRADED, scope="BTCUSDT", steps=one("mark"), within_s=within_s, ends=FsmState.DEGRADED
    )
    report = run_drill(drill(FsmReason.FEED_STALE, silent), 1, prepare=prepare)
    assert report.ok, _told(report)
    assert told in next(move.detail for move in report.transitions if move.to_state == "DEGRADED")


HIDDEN = Scene(moves=FsmState.THROTTLED, scope="BTCUSDT", steps=one("spread", bps=60, for_s=20), within_s=7, run_s=120)
"""The ladder stands inside the spread that opens: what the book shows at its touch is our own orders."""


def test_a_wide_spread_is_noticed_behind_own_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = drill(FsmReason.TOXICITY_MID, HIDDEN)
    report = run_drill(hidden, 1)
    assert report.ok, _told(report)
    noticed = next(move for move in report.transitions if move.to_state == "THROTTLED")
    assert "alone at the touch" in noticed.detail
    monkeypatch.setattr(facts, "touch_alone", lambda *_: False)
    blind = run_drill(hidden, 1)
    assert not [move for move in blind.transitions if "alone" in move.detail or move.at_ms == noticed.at_ms]


class TwoSymbols(ScriptMarket):
    """Every event of the one symbol, and the same again for another."""

    def symbols(self) -> tuple[SymbolSpec, ...]:
        other = bundled(OTHER)
        assert other is not None
        return (*super().symbols(), other)

    def next_event(self) -> MarketEvent:
        if self._twin is not None:
            told, self._twin = self._twin, None
            return told
        event = super().next_event()
        self._twin = replace(event, symbol=OTHER)
        return event

    _twin: MarketEvent | None = None


def test_a_second_symbol_without_a_view_keeps_the_account_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(day_module, "open_sim_market", lambda _: TwoSymbols(1))
    silent = drill(
        FsmReason.FEEDS_NOT_READY,
        Scene(
            moves=None,
            steps=({"name": "fault", "at_s": 1, "do": "mark"},),
            run_s=18,
            settings={"grid.symbols": ["BTCUSDT", OTHER]},
        ),
    )
    day = DrillDay(silent, 1)
    tell = day._tell_market

    def first_alone(payload: dict[str, Any]) -> None:
        if payload["s"] != OTHER or day.now_ms() > 15_000:
            tell(payload)

    monkeypatch.setattr(day, "_tell_market", first_alone)
    # The judge knows one symbol.
    for watch in ("on_private", "on_write", "on_row"):
        monkeypatch.setattr(day.judge, watch, lambda *_: None)
    day.disk.on_row = [day.tape.on_row]
    try:
        day.play()
    finally:
        day.close()
    moves = [(at_ms, move.to_state, move.reason) for at_ms, move in day.tape.transitions()]
    assert [(to_state, reason) for _, to_state, reason in moves[:2]] == [
        ("READY", "health_ok"),
        ("ACTIVE", "feeds_ready"),
    ]
    assert moves[0][0] < 5_000 and moves[1][0] > 15_000, "ready without the second symbol, quoting only with it"
    edges = [(edge.open, edge.scope) for _, edge in day.tape.edges() if edge.reason is FsmReason.FEEDS_NOT_READY]
    assert edges == [(True, "account"), (False, "account")]


def test_every_condition_has_a_scene_and_the_list_is_complete() -> None:
    lines = [f"{reason:24} {_where(reason)}" for reason in CONDITIONS]
    print("\n".join(lines))
    assert set(SCENES) | set(WIRE) == set(CONDITIONS)
    assert not set(SCENES) & set(WIRE)
    for node in WIRE.values():
        path, _, name = node.partition("::")
        assert f"def {name}(" in (ROOT / path).read_text("utf-8"), node


def _where(reason: FsmReason) -> str:
    scene = SCENES.get(reason)
    if scene is None:
        return WIRE.get(reason, "no scene")
    effect = f"enters {scene.moves}" if scene.moves else f"never {', '.join(scene.never) or 'anything: a page'}"
    return f"{', '.join(step['do'] for step in scene.steps)}: {effect}"
