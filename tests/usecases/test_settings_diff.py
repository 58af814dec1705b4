"""A changed setting is named once, with the rules it moves and nothing else's."""

from pathlib import Path

import pytest
from gridops.config import Settings, load
from gridops.usecases.place import Wanted, find
from gridops.usecases.settings_diff import execute
from gridops.usecases.what_if import differing


def changed(folder: Path, now: str, was: str) -> dict[str, tuple[str, str, tuple[str, ...]]]:
    (folder / "gridops.toml").write_text(now)
    (folder / "other.toml").write_text(was)
    where = find(Wanted(), {}, folder)
    found = execute(where, {}, folder / "other.toml")
    return {each.key: (each.was, each.now, each.rules) for each in found.changes}


def test_each_change_stands_alone(tmp_path: Path) -> None:
    found = changed(tmp_path, "[grid]\nlevels = 6\n[risk]\nmax_pending = 30\n", "[grid]\nspacing_bps = 5\n")
    assert found == {
        "grid.levels": ("10", "6", ("grid.levels 10 -> 6",)),
        "grid.spacing_bps": ("5", "2", ("grid.spacing_cbps 500 -> 200",)),
        "risk.max_pending": ("40", "30", ("risk.max_pending 40 -> 30",)),
    }


def test_the_same_value_written_otherwise_is_no_change(tmp_path: Path) -> None:
    assert changed(tmp_path, "[grid]\nrung_fraction = 0.0100\n", "") == {}


def test_without_a_run_the_defaults_are_the_other_side(tmp_path: Path) -> None:
    (tmp_path / "gridops.toml").write_text("[grid]\nlevels = 6\n")
    found = execute(find(Wanted(), {}, tmp_path), {}, None)
    assert found.against == "defaults" and [each.key for each in found.changes] == ["grid.levels"]


OTHER = {
    "account": {"name", "mode", "fingerprint"},
    "venue": {"url", "market", "speed", "wallet"},
    "operations": {"metrics_port", "min_free_mb", "log_stderr"},
    "notify": {"level", "per_minute", "repeat_seconds"},
}
"""Settings that move no rule: they say where, or bear on the process and not on a decision."""
VALUES = {
    "symbols": '["ETHUSDT"]',
    "shadow": '["toxicity_mid"]',
    "auto": '["import"]',
    "stop_mode": '"leave"',
    "high_price": "90000",
    "max_margin_ratio": "0.5",
    "account_cap": "30000",
    "symbol_cap": "10000",
    "max_drawdown": "0.06",
    "daily_drawdown": "0.02",
    "deadman_seconds": "240",
    "beat_seconds": "20",
    "hold_band": "2",
    "spread_low_bps": "4",
    "spread_mid_bps": "11",
    "spread_high_bps": "60",
}
DECIDING = [
    (section, name)
    for section, field in Settings.model_fields.items()
    for name in getattr(field.annotation, "model_fields", {})
    if name not in OTHER.get(section, ())
]


@pytest.mark.parametrize(("section", "name"), DECIDING, ids=lambda word: str(word))
def test_every_deciding_setting_owns_what_it_moves(section: str, name: str, tmp_path: Path) -> None:
    """Judged by the rules themselves: what differs between the two files is what the report tells, no more, no less."""
    held = getattr(getattr(Settings(), section), name)
    if name in VALUES:
        value = VALUES[name]
    elif isinstance(held, bool):
        value = str(not held).lower()
    elif isinstance(held, str):
        value = '"cancel_only"'
    else:
        value = str(held / 2 if held != 1 and held != int(held) else held + 1)
    found = changed(tmp_path, f"[{section}]\n{name} = {value}\n", "")
    ((key, (_, _, rules)),) = found.items()
    now = load(file=tmp_path / "gridops.toml", environment={}).settings
    moved = {".".join(path) for path in differing(Settings().rules(), now.rules())}
    assert key == f"{section}.{name}" and moved
    assert {rule.split(" ")[0] for rule in rules} == moved
