"""`config` shows each setting with its source, and refuses a bad one as `run` would."""

from pathlib import Path

from gridops.errors import ExitCode
from tests.commands.kit import Runner


def test_sources_are_shown(cli: Runner, empty_folder: Path) -> None:
    (empty_folder / "gridops.toml").write_text("[grid]\nlevels = 4\n")
    shown = {each["key"]: each for each in cli("config", "show", "--json").document()["settings"]}
    assert shown["grid.levels"]["value"] == "4" and shown["grid.levels"]["source"].endswith("gridops.toml")
    assert shown["grid.symbols"] == {"key": "grid.symbols", "value": "BTCUSDT", "source": "default"}


def test_a_bad_setting_is_refused_with_its_name(cli: Runner, empty_folder: Path) -> None:
    (empty_folder / "gridops.toml").write_text("[risk]\nmax_drawdown = 5\n")
    for words in (["config", "check"], ["config", "show"], ["run"]):
        ran = cli(*words)
        assert ran.code == ExitCode.USAGE
        assert "error: risk.max_drawdown = 5 is refused" in ran.err and "hint: allowed:" in ran.err
        assert "Traceback" not in ran.err


def test_a_difference_names_setting_source_and_rule(cli: Runner, empty_folder: Path) -> None:
    (empty_folder / "gridops.toml").write_text("[grid]\nlevels = 4\n")
    ran = cli("config", "diff", "--json")
    (change,) = ran.document()["changes"]
    assert change["key"] == "grid.levels" and change["rules"] == ["grid.levels 10 -> 4"] and ran.code == 0
    assert "grid.levels" in cli("config", "diff").out
    (empty_folder / "gridops.toml").write_text("")
    assert "nothing differs" in cli("config", "diff").out
    assert cli("config", "diff", "--against", "absent.toml").code == ExitCode.USAGE
