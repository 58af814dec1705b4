"""Each panel says what the engine holds, in words an operator knows, with the age of its newest fact."""

from dataclasses import replace
from decimal import Decimal

import pytest
from gridops.domain.events import OperatorInput, StreamChanged, WriteReply
from gridops.domain.plan import Cost
from gridops.domain.records import GateRefused, OutboxRefused
from gridops.domain.vocabulary import Decision, FsmState, Gate, OperatorCommand, RouterReason, Side, Stream
from gridops.tui.history import Entry
from gridops.tui.model import Model
from gridops.tui.panels import ladder, lifecycle, risk, vitals
from gridops.tui.panels.scene import Scene
from gridops.tui.text import Drawn, age, amount, bar, columns, line, signed, state_style
from gridops.tui.widgets import Panel
from gridops.usecases.liveness import Process
from tests.runtime.engine_kit import SYMBOL, Desk
from tests.tui.kit import AFTER_MS, fill, folded, pulse, quoting, say, story
from textual.content import Content


def scene(desk: Desk, *, width: int = 78, height: int = 30, live: bool = True, after_ms: int = AFTER_MS) -> Scene:
    model = folded(desk)
    now_ms = desk.venue_ms + after_ms
    model.heard(pulse(desk, Process.LIVE if live else Process.DEAD), now_ms - 100)
    return Scene(model=model, symbol_name=SYMBOL, now_ms=now_ms, width=width, height=height)


def words(drawn: Drawn) -> str:
    return "\n".join(each.plain for each in drawn.lines)


def test_what_is_typed_into_the_filter_is_no_markup_of_the_title() -> None:
    panel = Panel("log", id="log")
    for typed in ("[/x]", "[red]", "[@click=app.quit]q[/]"):
        panel.show(Drawn(lines=(), age_ms=100), old=False, note=f" holding {typed!r}")
        assert isinstance(panel.border_title, str)
        assert Content.from_markup(panel.border_title).plain == f"log holding {typed!r} · 0.1 s"


def test_state_says_why_and_since_when() -> None:
    drawn = lifecycle.state(scene(story()))
    text = words(drawn)
    assert text.startswith("PAUSED for 1.")
    assert "operator_pause  PAUSE from ACTIVE" in text
    assert "armed  paper  build test" in text
    assert "operator's pause is held; r resumes" in text
    assert drawn.age_ms == 100


def test_state_of_a_dead_engine_stands_still_and_its_age_goes_on() -> None:
    desk = story()
    at_once, later = scene(desk, live=False), scene(desk, live=False, after_ms=3_600_000)
    assert words(lifecycle.state(at_once)) == words(lifecycle.state(later))
    assert lifecycle.state(later).age_ms == 3_600_000
    assert "1 h 0 min" not in words(lifecycle.levels(later))


def test_a_kill_is_shown_with_its_author_and_reason() -> None:
    desk = quoting(2)
    desk.settle(say(desk, OperatorCommand.KILL, "fat finger"))
    assert "kill latched by ann: fat finger" in words(lifecycle.state(scene(desk)))


def test_levels_are_listed_longest_first_and_none_is_said() -> None:
    assert "none: nothing holds the engine back" in words(lifecycle.levels(scene(quoting(2))))
    desk = quoting(2)
    desk.settle(say(desk, OperatorCommand.PAUSE, "x"))
    desk.run_ms(2_000)
    desk.settle(desk.feed(StreamChanged(stream=Stream.USER, up=False, detail="")))
    desk.run_ms(6_000)
    lines = words(lifecycle.levels(scene(desk))).splitlines()
    assert [each.split()[0] for each in lines][:2] == ["operator_pause", "user_stream_lost"]


def test_the_timeline_is_newest_first() -> None:
    lines = words(lifecycle.timeline(scene(story()))).splitlines()
    assert [each.split()[3] for each in lines] == ["PAUSED", "ACTIVE", "READY"]
    assert "operator_pause" in lines[0]


def test_gates_show_the_whole_chain_and_the_newest_refusals() -> None:
    seen = scene(quoting(2))
    history = seen.model.history
    history.refused_by_gate.clear()
    history.gate_refusals.clear()
    assert "no request was refused" in words(lifecycle.gates(seen))
    refusal = GateRefused(
        gate=Gate.EXPOSURE, intent="increase", symbol=SYMBOL, level=-3, detail="20,100 > 20,000", all_refusals=""
    )
    history.gate_refusals.append(Entry(seq=5, at_ms=desk_ms(seen), said=refusal))
    history.refused_by_gate["exposure"] += 7
    last_hop = OutboxRefused(op_id=9, client_id="x", reason="decision_age")
    history.outbox_refusals.append(Entry(seq=6, at_ms=desk_ms(seen), said=last_hop))
    text = words(lifecycle.gates(seen))
    assert all(gate.value in text for gate in Gate)
    assert "exposure✗7" in text
    assert text.index("last hop") < text.index("L-3 20,100 > 20,000")


def desk_ms(seen: Scene) -> int:
    return seen.model.as_of_ms


def rung(seen: Scene, begins: str) -> str:
    (found,) = [each for each in words(ladder.ladder(seen)).splitlines() if each.strip().startswith(begins)]
    return found


def test_the_ladder_shows_each_working_order_around_the_mid() -> None:
    desk = quoting()
    fill(desk, Side.BUY, trade_id=1)
    desk.run_ms(3_000)
    seen = scene(desk)
    text = words(ladder.ladder(seen))
    assert len(desk.orders) > 6
    for order in desk.orders.values():
        assert str(desk.state.symbols[SYMBOL].instrument.price(order.price_ticks)) in text
    middle = text.index("mid ")
    sells = [text.index(f"{o.level:+d} sell") for o in desk.orders.values() if o.side is Side.SELL]
    buys = [text.index(f"{o.level:+d} buy") for o in desk.orders.values() if o.side is Side.BUY]
    assert all(at < middle for at in sells) and all(at > middle for at in buys)
    assert f"working {len(desk.orders)}" in text


def test_the_ladder_shows_the_difference_to_the_target_and_marks_an_old_one() -> None:
    desk = quoting()
    desk.settle(desk.view(650_040))
    desk.run_ms(1_000)
    fresh, old = scene(desk), scene(desk, after_ms=60_000)
    choices = {e.said.choice.level: e.said.choice for e in fresh.model.history.last_choice.values()}
    order = desk.nearest(Side.BUY)
    away = choices[order.level].to_ticks - order.price_ticks
    word = "=" if away == 0 else f"{away:+d} t"
    (shown,) = [
        each for each in words(ladder.ladder(fresh)).splitlines() if each.strip().startswith(f"{order.level} buy")
    ]
    assert word in shown and f"~{word}" not in shown
    assert f"~{word}" in words(ladder.ladder(old))


def test_the_ladder_keeps_the_rungs_nearest_to_the_mid_when_room_is_short() -> None:
    lines = words(ladder.ladder(scene(quoting(6), height=7))).splitlines()
    assert len(lines) == 7
    levels = [each.split()[0] for each in lines[2:]]
    assert levels == ["+2", "+1", "──", "-1", "-2"]


def test_an_order_in_doubt_is_loud_and_its_queue_is_bounded_at_the_touch() -> None:
    desk = quoting(2)
    order = desk.nearest(Side.BUY)
    desk.view(order.price_ticks)
    seen = scene(desk)
    assert seen.state is not None
    assert f"≤{(5_000 - order.remaining) / 1_000:.3f} ahead" in rung(seen, "-1 buy")
    state = seen.state.symbols[SYMBOL].orders[order.client_id]
    state.state = type(state.state).UNKNOWN
    assert "unknown" in words(ladder.ladder(seen))


def test_decisions_are_shown_newest_first_with_reason_and_cost() -> None:
    desk = story()
    seen = scene(desk, width=110)
    lines = words(ladder.decisions(seen)).splitlines()
    counted = desk.state.counters.decisions
    assert f"noop {sum(n for name, n in counted.items() if name.startswith('noop/'))}" in lines[0]
    newest = seen.model.history.decisions[-1].said.choice
    assert newest.decision in lines[3] and newest.reason in lines[3]
    amended = [e.said.choice for e in seen.model.history.decisions if e.said.choice.cost.calls]
    assert amended and any("1c 1" in each for each in lines)
    assert any("free" in each for each in lines)


def test_the_newest_decision_says_why_and_what_the_second_would_have_cost() -> None:
    desk = story()
    seen = scene(desk, width=110)
    entry = seen.model.history.decisions[-1]
    lines = words(ladder.decisions(seen)).splitlines()
    assert lines[1] == f"{entry.said.choice.level:+d} noop: a write of ours for this order is not answered yet"
    assert lines[2].strip() == "nothing else was open"
    cost = Cost(calls=2, bare_ms=300)
    choice = replace(
        entry.said.choice, level=-2, decision=Decision.AMEND, reason=RouterReason.OUTSIDE_HOLD_BAND,
        from_ticks=100, to_ticks=107, runner_up=Decision.CANCEL_REPLACE, runner_up_cost=cost,
    )  # fmt: skip
    seen.model.history.decisions.append(replace(entry, said=replace(entry.said, choice=choice)))
    lines = words(ladder.decisions(seen)).splitlines()
    assert lines[1].startswith("-2 amend: 7 ticks from its target, beyond the band of ")
    assert lines[2].strip() == "not cancel_replace: 2 calls, 300 ms bare"
    assert "not cancel_replace" not in words(ladder.decisions(scene(desk, width=110, height=5)))


def test_exposure_shows_position_equity_caps_and_drawdown() -> None:
    desk = story()
    state = desk.state
    text = words(risk.exposure(scene(desk)))
    assert f"position  {state.symbols[SYMBOL].instrument.quantity(state.symbols[SYMBOL].position_lots)}" in text
    assert "of 20,000" in text and "of 500 bps" in text and "of 300 bps" in text
    assert "equity" in text and "USDT" in text
    assert words(risk.exposure(scene(quoting(1)))).count("flat") == 1


def test_an_account_never_read_is_unknown_and_not_zero() -> None:
    desk = Desk()
    desk.boot()
    text = words(risk.exposure(scene(desk)))
    assert "position  unknown" in text and "never read" in text
    assert "unknown" in text.splitlines()[1] and "unknown: no sample yet" in text


def test_stress_speaks_of_both_directions() -> None:
    lines = words(risk.stress(scene(quoting(3)))).splitlines()
    assert lines[0].startswith("down to 649") and lines[2].startswith("up to 650")
    assert "liquidation not known" in lines[1]


def test_fills_and_trips_are_shown_newest_first_with_their_fee_and_net() -> None:
    desk = story()
    lines = words(risk.fills(scene(desk))).splitlines()
    assert lines[0].startswith("this journal: 3 fills  1 round trips")
    assert [each.split()[1] for each in lines[1:4]].count("buy") >= 1
    assert any("trip" in each and "bps" in each for each in lines)
    assert any("fee 0.0200 USDT" in each for each in lines)


def test_vitals_show_feeds_budgets_latency_and_truth() -> None:
    desk = story()
    text = words(vitals.vitals(scene(desk)))
    assert "book 0.3 s" in text and "user up" in text
    assert "of 2400 a minute" in text
    writes = [e.ended_ms - e.started_ms for _, e, _ in desk.history if isinstance(e, WriteReply) and e.op_id > 0]
    assert f"place {sorted(writes)[len(writes) // 2]}/" in text
    assert "no mismatch" in text and "dead-man beat" in text


def test_a_silent_feed_turns_loud() -> None:
    drawn = vitals.vitals(scene(story(), after_ms=30_000))
    spans = [(drawn.lines[0].plain[s.start : s.end], str(s.style)) for s in drawn.lines[0].spans]
    assert ("30 s", "$text-error") in spans


def test_the_log_filters_by_any_text_and_opens_records() -> None:
    told = [
        '{"at_ms":1700000000000,"seq":7,"event":"Note","topic":"stream","severity":"warn","detail":"USER up=False"}',
        '{"at_ms":1700000001000,"seq":8,"event":"Decided","choice":{"level":-1,"decision":"amend","client_id":"x"}}',
        "not json",
    ]
    assert [each.plain for each in vitals.log(told, "", 10)] == [
        "22:13:20      7 Note topic=stream detail=USER up=False severity=warn",
        "22:13:21      8 Decided decision=amend level=-1 client_id=x",
        "not json",
    ]
    assert len(vitals.log(told, "AMEND", 10)) == 1
    assert [each.plain for each in vitals.log(told, "", 1)] == ["not json"]
    assert vitals.log_age_ms(told, 1_700_000_005_000) == 4_000
    assert vitals.log_age_ms([], 5) is None


@pytest.mark.parametrize(
    ("process", "outcome", "word"),
    [
        (Process.LIVE, "", "live pid 4242"),
        (Process.DEAD, "", "DEAD (without an orderly end)"),
        (Process.DEAD, "stopped", "DEAD (ended: stopped)"),
        (Process.ABSENT, "", "never ran in /home/ann/.gridops"),
    ],
)
def test_the_banner_says_whether_the_engine_lives(process: Process, outcome: str, word: str) -> None:
    desk = quoting(1)
    seen = scene(desk)
    seen.model.outcome = outcome
    seen.model.heard(pulse(desk, process), seen.now_ms)
    assert word in lifecycle.banner(seen).plain


def test_the_banner_tells_a_hung_engine_from_one_that_has_not_answered_yet() -> None:
    desk = quoting(1)
    seen = scene(desk)
    seen.model.heard(pulse(desk, Process.HUNG), seen.now_ms)
    assert "HUNG" in lifecycle.banner(seen).plain and "kill --direct" in lifecycle.banner(seen).plain
    seen.model.answer_ms = 0
    assert "NO ANSWER YET" in lifecycle.banner(seen).plain


def test_a_look_that_is_old_vouches_for_nothing() -> None:
    seen = scene(quoting(1))
    seen.model.pulse_ms = seen.now_ms - 60_000
    assert "NOT LOOKED AT for 60 s" in lifecycle.banner(seen).plain


def test_the_banner_says_what_the_journal_and_the_fold_lack() -> None:
    seen = scene(quoting(1))
    seen.model.reading, seen.model.fold_error = "no journal at x", "row 7 does not fit"
    text = lifecycle.banner(seen).plain
    assert "no journal at x" in text and "row 7 does not fit" in text


def test_the_engines_own_word_wins_when_the_journal_is_behind() -> None:
    desk = quoting(1)
    seen = scene(desk)
    desk.feed(OperatorInput(command=OperatorCommand.PAUSE, request_id="1", author="ann", reason="x"))
    seen.model.heard(pulse(desk), seen.now_ms)
    told = seen.model.lifecycle()
    assert told is not None and (told.source, told.shown["state"]) == ("engine", "PAUSED")
    assert seen.model.state is not None and seen.model.state.fsm.state is FsmState.ACTIVE


@pytest.mark.parametrize(
    "draw",
    [lifecycle.state, lifecycle.levels, lifecycle.timeline, lifecycle.gates, ladder.ladder, ladder.decisions,
     risk.exposure, risk.stress, risk.fills, vitals.vitals],
)  # fmt: skip
@pytest.mark.parametrize("height", [1, 2, 30])
def test_no_panel_needs_data_or_room(draw: object, height: int) -> None:
    empty = Scene(model=Model(account="paper"), symbol_name="", now_ms=1, width=20, height=height)
    full = scene(story(), width=20, height=height)
    assert callable(draw)
    assert draw(empty).lines and draw(empty).age_ms is None
    assert 0 < len(draw(full).lines) <= height


def test_nothing_from_outside_is_read_as_markup_or_moves_the_cursor() -> None:
    assert line("[red]x[/red]\x1b[2J").plain.startswith("[red]x[/red]")
    assert "\x1b" not in line("[red]x[/red]\x1b[2J").plain


@pytest.mark.parametrize(
    ("ms", "word"),
    [(None, "never"), (-5, "0.0 s"), (240, "0.2 s"), (9_999, "9.9 s"), (61_000, "61 s"), (180_000, "3 min"),
     (7_500_000, "2 h 5 min")],
)  # fmt: skip
def test_ages_are_short(ms: int | None, word: str) -> None:
    assert age(ms) == word


def test_cells_are_cut_padded_and_aligned() -> None:
    assert (
        columns([("abc", 5), ("abc", -5), ("abcdef", 4), ("rest is open", 0)]).plain == "abc     abc abc… rest is open"
    )
    assert bar(Decimal("0.5"), 4) == ("██░░", "$text-success")
    assert bar(Decimal(3), 4) == ("████", "$text-error")
    assert (amount(None), amount(Decimal("1234.5")), signed(Decimal("1.005"), 1)) == ("unknown", "1,234.50", "+1.0")
    assert state_style("EMERGENCY") != state_style("ACTIVE") and state_style("")


def test_a_fill_on_the_way_is_not_a_disagreement_with_an_older_read() -> None:
    desk = quoting(2)
    desk.run_ms(1_000)
    fill(desk, Side.BUY, trade_id=1)
    seen = scene(desk)
    first = risk.exposure(seen).lines[0]
    assert not any("text-error" in str(span.style) for span in first.spans)
