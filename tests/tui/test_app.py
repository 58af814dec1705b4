"""The screen under an operator's hands: pages, keys, prompts, filters; a word is sent only with author and reason."""

import asyncio
from collections import deque
from dataclasses import replace
from pathlib import Path

import pytest
from gridops.domain.vocabulary import OperatorCommand
from gridops.errors import Refused
from gridops.tui import view as viewing
from gridops.tui.app import WatchApp, pages_shown
from gridops.tui.feed import Batch
from gridops.tui.panels.scene import Scene
from gridops.tui.text import Drawn
from gridops.tui.widgets import Page, Panel
from gridops.usecases.liveness import Process
from gridops.usecases.operate import Wish, WishReport
from syrupy.assertion import SnapshotAssertion
from tests.tui.kit import Stage, checkpoint, quoting, rows, story, text_of
from tests.tui.svg import SvgExtension
from textual.pilot import Pilot

WITHIN_S = 20.0
LOG = (
    '{"at_ms":1700000005000,"seq":7,"event":"Note","topic":"stream","severity":"warn","detail":"USER up=False"}\n'
    '{"at_ms":1700000006000,"seq":8,"event":"Note","topic":"operator","severity":"info","detail":"pause by ann"}\n'
)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    log = tmp_path / "paper.jsonl"
    log.write_text(LOG)
    return Stage(story(), log)


async def until(pilot: Pilot[str], word: str) -> str:
    """The screen's text once it holds `word`."""
    for _ in range(int(WITHIN_S / 0.05)):
        text = "\n".join(text_of(pilot.app))  # type: ignore[arg-type]
        if word in text:
            return text
        await pilot.pause(0.05)
    raise AssertionError(f"{word!r} does not come:\n{text}")


async def settled(pilot: Pilot[str]) -> WatchApp:
    """Every row is folded, the process was looked at, and what is visible was drawn."""
    app = pilot.app
    assert isinstance(app, WatchApp)
    await until(pilot, "pid 4242")
    for _ in range(400):
        if app.view is not None and app.view.model.seq > 0 and app.view.wiring.log.lines:
            break
        await pilot.pause(0.02)
    app.draw()
    await pilot.pause()
    return app


@pytest.mark.parametrize("page", [1, 2, 3, 4])
async def test_each_page_on_a_small_terminal(stage: Stage, page: int, snapshot: SnapshotAssertion) -> None:
    app = stage.app()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await settled(pilot)
        await pilot.press(str(page))
        await pilot.pause()
        app.draw()
        await pilot.pause()
        assert "\n".join(text_of(app)) == snapshot


async def test_everything_on_a_large_terminal(stage: Stage, snapshot: SnapshotAssertion) -> None:
    app = stage.app()
    async with app.run_test(size=(160, 50), notifications=True) as pilot:
        await settled(pilot)
        assert "\n".join(text_of(app)) == snapshot
        assert app.export_screenshot() == snapshot(extension_class=SvgExtension)


@pytest.mark.parametrize(
    ("size", "page", "shown", "across"),
    [
        ((80, 24), 1, (1,), 1), ((80, 24), 4, (4,), 1), ((149, 60), 2, (2,), 1), ((160, 24), 1, (1, 2), 2),
        ((160, 24), 4, (3, 4), 2), ((160, 50), 3, (1, 2, 3, 4), 2), ((320, 30), 1, (1, 2, 3, 4), 4),
    ],
)  # fmt: skip
def test_pages_fill_the_terminal(size: tuple[int, int], page: int, shown: tuple[int, ...], across: int) -> None:
    assert pages_shown(*size, page) == (shown, across)


async def test_a_resize_rearranges_the_pages(stage: Stage) -> None:
    app = stage.app()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await settled(pilot)
        assert [page.display for page in app.query(Page)] == [True, False, False, False]
        await pilot.press("n", "n")
        assert [page.display for page in app.query(Page)] == [False, False, True, False]
        await pilot.resize_terminal(160, 50)
        await pilot.pause()
        assert all(page.display for page in app.query(Page))
        assert len({page.region.x for page in app.query(Page)}) == 2


async def test_pause_asks_for_a_reason_and_sends_author_and_reason(stage: Stage) -> None:
    app = stage.app()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await settled(pilot)
        await pilot.press("p")
        await until(pilot, "PAUSE · account paper")
        await pilot.press("enter")
        await until(pilot, "author and reason are needed")
        assert stage.wishes == []
        await pilot.press(*"news", "enter")
        await until(pilot, "pause accepted: PAUSED because")
        assert stage.wishes == [Wish(command=OperatorCommand.PAUSE, reason="news", author="ann")]


async def test_kill_is_sent_only_when_typed(stage: Stage) -> None:
    app = stage.app()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await settled(pilot)
        await pilot.press("k")
        await until(pilot, "KILL · account paper")
        await pilot.press(*"runaway", "enter", *"kill", "enter")
        await until(pilot, "not sent: type KILL")
        assert stage.wishes == []
        await pilot.press("backspace", "backspace", "backspace", "backspace", *"KILL", "enter")
        await until(pilot, "kill accepted")
        assert stage.wishes == [Wish(command=OperatorCommand.KILL, reason="runaway", author="ann")]


async def test_escape_sends_nothing(stage: Stage) -> None:
    app = stage.app()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await settled(pilot)
        for key in "prka":
            await pilot.press(key)
            await until(pilot, "· account paper")
            await pilot.press(*"why", "escape")
        await pilot.pause()
        assert stage.wishes == []


async def test_ack_can_accept_the_position_only_by_an_explicit_mark(stage: Stage) -> None:
    app = stage.app()
    async with app.run_test(size=(80, 30), notifications=True) as pilot:
        await settled(pilot)
        await pilot.press("a")
        await until(pilot, "accept the open position")
        await pilot.press(*"seen", "tab", "space")
        await pilot.click("#send")
        await until(pilot, "ack accepted")
        assert stage.wishes == [Wish(command=OperatorCommand.ACK, reason="seen", author="ann", accept_position=True)]


async def test_a_refusal_and_a_dead_engine_are_told(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.accept = False
    app = stage.app()
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        await settled(pilot)
        await pilot.press("r")
        await until(pilot, "RESUME · account")
        await pilot.press(*"go", "enter")
        await until(pilot, "resume refused")

        def dead(_: Wish) -> WishReport:
            raise Refused("no engine answers", hint="start one")

        assert app.view is not None
        app.view.wiring = replace(app.view.wiring, tell=dead)
        await pilot.press("p")
        await until(pilot, "PAUSE · account")
        await pilot.press(*"go", "enter")
        await until(pilot, "pause failed: no engine answers (start one)")


async def test_the_log_is_filtered_as_typed_and_cleared_by_escape(stage: Stage) -> None:
    app = stage.app()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await settled(pilot)
        await pilot.press("slash")
        await until(pilot, "topic=operator")
        await pilot.press(*"stream")
        text = await until(pilot, "log holding 'stream'")
        app.draw()
        await pilot.pause()
        text = "\n".join(text_of(app))
        assert "topic=stream" in text and "topic=operator" not in text
        await pilot.press("escape")
        await until(pilot, "topic=operator")
        assert stage.wishes == []


async def test_letters_of_the_filter_are_no_commands(stage: Stage) -> None:
    app = stage.app()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await settled(pilot)
        await pilot.press("slash", *"kqpd")
        await pilot.pause()
        assert app.is_running and len(app.screen_stack) == 1


async def test_help_light_and_palette(stage: Stage) -> None:
    app = stage.app()
    async with app.run_test(size=(100, 40), notifications=True) as pilot:
        await settled(pilot)
        await pilot.press("question_mark")
        await until(pilot, "it decides nothing")
        await pilot.press("escape")
        dark = app.current_theme.dark
        await pilot.press("d")
        assert app.current_theme.dark is not dark
        await pilot.press("ctrl+p")
        await pilot.pause()
        await pilot.press(*"Kill")
        await until(pilot, "Cancel all, flatten, latch")


async def test_a_dead_run_is_shown_dead_with_its_ages_running(stage: Stage) -> None:
    stage.process = Process.DEAD
    stage.feed.batches = deque([replace(stage.feed.batches[0], outcome="")])
    app = stage.app()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, "DEAD (without an orderly end)")
        await until(pilot, "PAUSED for")
        stage.later_ms = 7_200_000
        await until(pilot, "data 2 h 0 min old")
        assert all(panel.has_class("-old") for panel in app.query(Panel) if panel.is_on_screen)
        assert "PAUSED for 1.0 s" in "\n".join(text_of(app))


async def test_a_hung_engine_is_shown_hung(stage: Stage) -> None:
    app = stage.app()
    async with app.run_test(size=(150, 24), notifications=True) as pilot:
        await settled(pilot)
        stage.process = Process.HUNG
        await until(pilot, "HUNG: it takes connections and says nothing")


async def test_new_rows_and_a_rebase_reach_the_screen(stage: Stage) -> None:
    desk = stage.desk
    app = stage.app()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await settled(pilot)
        before = desk.state.seq
        desk.run_ms(500)
        stage.feed.batches.append(Batch(rows=tuple(row for row in rows(desk) if row.seq > before)))
        stage.feed.batches.append(Batch(base=checkpoint(desk)))
        await until(pilot, f"input {desk.state.seq}")
        assert app.view is not None and app.view.model.fold_error == ""


async def test_trouble_with_the_journal_stands_in_the_banner(tmp_path: Path) -> None:
    stage = Stage(quoting(1), tmp_path / "no.jsonl")
    stage.feed.batches = deque([Batch(trouble="no journal at /x")] * 1_000)
    app = stage.app()
    async with app.run_test(size=(120, 24), notifications=True) as pilot:
        await until(pilot, "no journal at /x")
        await until(pilot, "no data yet")


async def test_a_panel_that_fails_says_so_and_leaves_the_others_alone(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Scene) -> Drawn:
        raise ZeroDivisionError("no room")

    monkeypatch.setitem(viewing.PANELS, "levels", broken)
    app = stage.app()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await settled(pilot)
        text = await until(pilot, "this panel failed: ZeroDivisionError: no room")
        assert "PAUSED for" in text and app.is_running


async def test_leaving_says_whether_the_engine_goes_on(stage: Stage) -> None:
    app = stage.app()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await settled(pilot)
        await pilot.press("q")
    assert app.return_value == "detached"
    stage.ended = 0
    app = Stage(stage.desk, stage.log, ended=0).app()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, "The engine has ended")
        await pilot.press("q")
    assert app.return_value == "ended"


async def test_an_engine_that_never_came_up_closes_its_screen(tmp_path: Path) -> None:
    stage = Stage(quoting(1), tmp_path / "no.jsonl", process=Process.ABSENT, ended=2)
    app = stage.app()
    async with app.run_test(size=(80, 24), notifications=True):
        for _ in range(200):
            if app.return_value is not None:
                break
            await asyncio.sleep(0.05)
    assert app.return_value == "ended"
