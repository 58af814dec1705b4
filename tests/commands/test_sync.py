"""`gridops sync` where nothing can be asked, and what a start refuses of a journal. The rest is judged on the wire."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from gridops.adapters.home import Home
from gridops.config import Settings
from gridops.domain.events import Boot
from gridops.domain.evidence_ref import EvidenceMode, EvidenceRef, EvidenceStatus
from gridops.domain.rules import Rules
from gridops.errors import ConfigError, ExitCode
from gridops.runtime.state import EngineState
from gridops.usecases import sync_start
from gridops.usecases.sync import SyncReport
from tests.commands.kit import Runner, boot, files_below, instrument, write_journal
from tests.runtime.engine_kit import Desk

from gridops_cli import sync as command

REF = EvidenceRef(EvidenceMode.SYNC, EvidenceStatus.OK, "in_step", "evidence/sync/x", "0" * 64)
ITEM: dict[str, Any] = {
    "remedy": "unattributed", "kind": "position_qty", "severity": "critical", "symbol": "BTCUSDT", "key": "position",
    "local": "0", "venue": "40", "safe": False, "automatic": False, "writes": False, "ready": True, "why": "",
    "impact": "sizes", "gates": [{"gate": "kill", "allowed": False, "detail": "latched"}], "wce_before": 5,
    "wce_after": 4, "lots": 40,
}  # fmt: skip


def report(
    *, accepted: bool = True, items: tuple[dict[str, Any], ...] = (), not_read: tuple[str, ...] = ()
) -> SyncReport:
    return SyncReport(
        account="paper", by="engine", author="anna", accepted=accepted, state="DEGRADED", detail="1 differences",
        digest="d" * 64, not_read=not_read, plan={"items": list(items), "applied": None}, evidence=REF,
    )  # fmt: skip


def test_without_a_journal_it_is_refused_and_leaves_no_home(cli: Runner, empty_folder: Path) -> None:
    ran = cli("sync", "--home", "nowhere")
    assert ran.code == ExitCode.REFUSED and "no journal of account paper" in ran.err
    assert not (empty_folder / "nowhere").exists() or files_below(empty_folder / "nowhere") == set()


@pytest.mark.parametrize("words", [["--apply", "abc"], ["--apply", "Z" * 64], ["--plan", "--apply", "0" * 64]])
def test_words_that_cannot_be_meant_are_refused(words: list[str], cli: Runner) -> None:
    assert cli("sync", *words).code == ExitCode.USAGE


def test_a_dead_engine_whose_venue_is_gone_is_the_venues_failure(cli: Runner, empty_folder: Path) -> None:
    write_journal(Home(empty_folder / "home"), [boot()])
    ran = cli("sync", "--home", "home")
    assert ran.code == ExitCode.VENUE, ran
    assert "no paper venue of account paper runs" in ran.err and ran.refs()


@pytest.mark.parametrize(
    ("made", "applied", "code"),
    [
        (report(), False, ExitCode.OK),
        (report(items=(ITEM,)), False, ExitCode.FINDING),
        (report(items=(ITEM,)), True, ExitCode.OK),
        (report(not_read=("positions|",)), False, ExitCode.VENUE),
        (report(accepted=False, items=(ITEM,)), True, ExitCode.REFUSED),
    ],
)
def test_exit_codes(made: SyncReport, applied: bool, code: ExitCode) -> None:
    assert command.exit_code(made, applied=applied) is code


def test_a_plan_is_shown_with_safety_gates_exposure_and_digest() -> None:
    shown = "\n".join(command.lines(report(items=(ITEM,)), in_full=True))
    for part in ("unsafe", "kill refuses: latched", "5 -> 4 units, +40 lots", "d" * 64, "position_qty", "critical"):
        assert part in shown
    brief = "\n".join(command.lines(report(items=(ITEM,)), in_full=False))
    assert "d" * 64 not in brief and "unattributed (unsafe)" in brief


def state_with_orders() -> EngineState:
    desk = Desk()
    desk.up()
    return desk.state


def test_a_symbol_that_left_the_whitelist_with_orders_is_refused_at_start() -> None:
    state = state_with_orders()
    other = Settings.model_validate({"grid": {"symbols": ("ETHUSDT",)}})
    with pytest.raises(ConfigError, match="no longer names BTCUSDT") as refused:
        sync_start.check_whitelist(other, state)
    assert "--stop-mode flatten" in str(refused.value.hint)
    sync_start.check_whitelist(Settings(), state)
    state.symbols["BTCUSDT"].orders.clear()
    sync_start.check_whitelist(other, state)


@pytest.mark.parametrize("field", ["tick_size", "step_size"])
def test_another_tick_or_step_than_the_journals_is_refused_at_start(field: str) -> None:
    state = state_with_orders()
    fresh = state.symbols["BTCUSDT"].instrument
    changed: dict[str, Any] = {field: Decimal("0.5")}
    sync_start.check_rules([fresh, replace(instrument(), symbol="ETHUSDT")], state)
    sync_start.check_rules([fresh], EngineState(rules=Rules(symbols=())))
    with pytest.raises(ConfigError, match=f"the {field.replace('_', ' ')} of BTCUSDT") as refused:
        sync_start.check_rules([replace(fresh, **changed)], state)
    assert "--fresh" in str(refused.value.hint)


def test_a_symbol_without_anything_of_ours_is_forgotten_at_the_next_boot() -> None:
    desk = Desk()
    desk.up()
    desk.orders.clear()
    begin = desk.history[0][1]
    assert isinstance(begin, Boot)
    eth = replace(instrument(), symbol="ETHUSDT")
    desk.feed(replace(begin, instruments=(eth,), rules=Rules(symbols=("ETHUSDT",))))
    assert list(desk.state.symbols) == ["ETHUSDT"]
