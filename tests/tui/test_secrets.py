"""No secret reaches the screen: planted wherever a text from outside comes in, looked for in every cell of every page.

The judge reads the cells and knows the secret's spellings; it knows nothing of what blanks them.
"""

import asyncio
import base64
import urllib.parse
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from gridops.adapters import keys
from gridops.adapters.redaction import Secrets
from gridops.domain.events import VenueNotice
from gridops.domain.evidence_ref import EvidenceMode, EvidenceRef
from gridops.domain.vocabulary import OperatorCommand
from gridops.errors import Refused
from gridops.tui import app as screen
from gridops.tui import attach
from gridops.tui import view as viewing
from gridops.tui.app import WatchApp
from gridops.tui.feed import Batch
from gridops.tui.panels.scene import Scene
from gridops.tui.text import Drawn
from gridops.tui.widgets import Page
from gridops.usecases.liveness import Process
from gridops.usecases.operate import Wish, WishReport
from gridops.usecases.place import Place
from tests.tui.kit import Stage, say, story, text_of
from tests.tui.test_app import settled, until
from textual.pilot import Pilot

KEY = "screenKEY0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQR"
SECRET = "screenSECRET/+=0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJK"
HEAD = 12
"""A cell may be cut: so many characters of a spelling are a leak already."""


def spellings(secret: str) -> set[str]:
    raw = secret.encode()
    whole = (secret, secret[::-1], urllib.parse.quote(secret, safe=""), base64.b64encode(raw).decode(), raw.hex())
    return {each[:HEAD] for each in whole} | {each[-HEAD:] for each in whole}


NEEDLES = spellings(KEY) | spellings(SECRET)
OTHER = (
    f"{base64.b64encode(SECRET.encode()).decode()} {SECRET.encode().hex()} signature={'a' * 64} listenKey={'Q' * 64}"
)


def leaks(text: str) -> list[str]:
    """Lines that show a piece of a secret, of a request's signature or of a listen key. A toast wraps: joined too."""
    marks = NEEDLES | {"a" * HEAD, "Q" * HEAD}
    flat = "".join(word for word in text.split() if word.strip("│▌▐┃"))
    return [each for each in [*text.splitlines(), flat] if any(mark in each for mark in marks)]


@pytest.fixture(autouse=True)
def canaries(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the environment, and known as a command knows them that begins."""
    environment = {keys.KEY: KEY, keys.SECRET: SECRET}
    for name, held in environment.items():
        monkeypatch.setenv(name, held)
    keys.register_ambient(environment, Secrets())


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """Secrets in an operator's words, in what the venue says, in the log, in settings and beside the process."""
    desk = story()
    notice = VenueNotice(kind=f"odd {KEY}", symbol=SECRET[:32], detail=f"see {SECRET}", event_ms=desk.venue_ms)
    desk.settle(desk.feed(notice, after_ms=10))
    desk.settle(say(desk, OperatorCommand.KILL, f"{SECRET} and {KEY}"))
    desk.run_ms(500)
    log = tmp_path / "paper.jsonl"
    log.write_text(
        f'{{"at_ms":1700000005000,"seq":7,"event":"Note {KEY}","detail":"{SECRET}","{KEY}":"{OTHER}"}}\n'
        f"no JSON {OTHER}\n"
    )
    return Stage(desk, log)


def planted(stage: Stage) -> WatchApp:
    """The stage's screen, with secrets in its settings and in the name of who looks at it."""

    def view() -> viewing.View:
        held = stage.view()
        held.wiring = replace(held.wiring, account=f"paper {KEY}", home=f"/home/{SECRET}", author=f"ann {SECRET}")
        held.model.account, held.model.home = held.wiring.account, held.wiring.home
        return held

    return WatchApp(view)


async def looked(pilot: Pilot[str], masked: int) -> None:
    """Nothing leaks now; `masked` places show that something was blanked, or this would prove nothing."""
    app = pilot.app
    assert isinstance(app, WatchApp)
    app.draw()
    await pilot.pause()
    text = "\n".join(text_of(app))
    assert leaks(text) == [] and text.count("***") >= masked, text


async def test_no_page_prompt_or_toast_shows_one(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screen, "LOOK_S", 0.05)
    monkeypatch.setattr(screen, "POLL_S", 0.02)
    app = planted(stage)
    async with app.run_test(size=(200, 50), notifications=True) as pilot:
        await settled(pilot)
        assert all(page.display for page in app.query(Page))
        await looked(pilot, 12)
        # A panel, the journal's reader and the process fail, and each says so with a secret in it.
        stage.process = Process.HUNG
        stage.feed.batches.extend([Batch(trouble=f"no journal {SECRET}")] * 1_000)
        monkeypatch.setitem(viewing.PANELS, "exposure", broken)
        await until(pilot, "no journal ***")
        await until(pilot, "this panel failed: RuntimeError: ***")
        await looked(pilot, 12)
        await pilot.resize_terminal(100, 24)
        assert app.view is not None
        for tell, word in ((answered, "pause accepted"), (refused, "pause failed")):
            app.view.wiring = replace(app.view.wiring, tell=tell)
            await pilot.press("p")
            await until(pilot, "PAUSE · account paper ***")
            await looked(pilot, 2)
            await pilot.press("x", "enter")
            await until(pilot, word)
            await looked(pilot, 4)


def broken(_: Scene) -> Drawn:
    raise RuntimeError(f"{SECRET} {KEY}")


def answered(wish: Wish) -> WishReport:
    evidence = replace(EvidenceRef.none_yet(EvidenceMode.FSM), evidence_dir=KEY)
    return WishReport(
        command=wish.command.value, account="paper", author=KEY, accepted=True, state="PAUSED", detail=f"{OTHER} {KEY}",
        evidence=evidence,
    )  # fmt: skip


def refused(_: Wish) -> WishReport:
    raise Refused(f"no engine answers at {SECRET}", hint=f"start {KEY}")


def test_a_crash_of_the_screen_prints_nothing_and_is_raised(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The framework's own way is a traceback with every local variable in it."""

    def view(*_: object) -> viewing.View:
        held = SECRET
        raise RuntimeError(f"odd thing with {KEY} and {held}")

    monkeypatch.setattr(attach, "view", view)
    monkeypatch.setattr(WatchApp, "run", lambda app: run_headless(app))
    with pytest.raises(RuntimeError, match="odd thing"):
        attach.watch(cast("Place", None))
    seen = capfd.readouterr()
    assert leaks(seen.out + seen.err) == [] and "Traceback" not in seen.err


def run_headless(app: WatchApp) -> str | None:
    return asyncio.run(app.run_async(headless=True))
