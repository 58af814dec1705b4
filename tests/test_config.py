"""Settings are refused with key, value, source and allowed range before anything could be sent."""

from decimal import Decimal
from pathlib import Path

import pytest
from gridops.config import load
from gridops.errors import ConfigError, ExitCode


def _refusal(tmp_path: Path, text: str) -> str:
    file = tmp_path / "gridops.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as refused:
        load(file=file, environment={})
    assert refused.value.exit_code is ExitCode.USAGE
    return f"{refused.value} | {refused.value.hint}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[grid]\nlevles = 3\n", ["grid.levles = 3 is not a setting", "did you mean levels?"]),
        ("[grd]\nlevels = 3\n", ["grd", "is not a setting", "did you mean grid?"]),
        ("levels = 3\n", ["levels = 3 stands outside a section", "sections are account, venue, grid"]),
        ("[account]\nhedge = true\n", ["account.hedge = True is not a setting"]),
        ("[grid]\nlevels = 3\nlevels = 4\n", ["line 3: levels stands twice"]),
        ("[grid]\nlevels = 3\n[grid]\nskew = 1\n", ["line 3: [grid] stands twice"]),
        ("[grid]\nlevels = nan\n", ["grid.levels = NaN", "at least 1, at most 50"]),
        ("[grid]\nspacing_bps = nan\n", ["grid.spacing_bps = NaN", "at least 0.01, at most 1000"]),
        ("[grid]\nspacing_bps = inf\n", ["grid.spacing_bps = Infinity"]),
        ("[grid]\nspacing_bps = 0.004\n", ["grid.spacing_bps = 0.004", "at least 0.01"]),
        ("[grid]\nlevels = 99\n", ["grid.levels = 99", "at most 50", "gridops.toml"]),
        ("[grid]\nlevels = 3.5\n", ["grid.levels = 3.5"]),
        ("[grid]\nlevels = true\n", ["grid.levels = True", "no numbers"]),
        ("[grid]\nlevels = 1e99999999999\n", ["1e99999999999 is beyond any range"]),
        ("[grid]\nsymbols = ['btc/usdt']\n", ["grid.symbols", "btc/usdt"]),
        (
            "[health]\nshadow = ['drawdown']\n",
            ["health.shadow", "drawdown may not be in shadow", "kill, lease, drawdown"],
        ),
        ("[health]\nshadow = ['lease_lost']\n", ["lease_lost may not be in shadow", "possible are feed_stale"]),
        ("[health]\nshadow = ['kill_switch']\n", ["kill_switch may not be in shadow"]),
        ("[health]\nshadow = ['journal_failed']\n", ["journal_failed may not be in shadow"]),
        ("[health]\nspread_mid_bps = 3\n", ["spread_mid_bps = 3", "not in this order"]),
        ("[grid]\nlow_price = 9\nhigh_price = 9\n", ["low_price = 9 is not below high_price = 9"]),
        ("[risk]\nmax_drawdown = 5\n", ["risk.max_drawdown = 5", "below 1", "a part of one, not percent"]),
        ("[risk]\nmax_drawdown = '5%'\n", ["risk.max_drawdown = '5%'", "not percent"]),
        ("[risk]\nsymbol_cap = 50000\n", ["symbol_cap = 50000 is above account_cap = 20000", "gridops.toml"]),
        ("[risk]\ndaily_drawdown = 0.2\n", ["daily_drawdown = 0.2 is above max_drawdown = 0.05"]),
        ("[operations]\nbeat_seconds = 100\n", ["beat_seconds = 100 is above half of deadman_seconds = 120"]),
        (
            "[operations]\nstop_mode = 'run'\n",
            ["operations.stop_mode = 'run'", "'cancel', 'leave', 'reduce' or 'flatten'"],
        ),
        ("[account]\nfingerprint = 'XYZ'\n", ["account.fingerprint = 'XYZ'"]),
        ("[account]\nname = '../x'\n", ["account.name = '../x'"]),
        ("[grid]\nlevels =\n", ["line 2"]),
        ("[grid\n", ["gridops.toml, line 1"]),
    ],
)
def test_bad_files_are_refused_by_name_value_and_range(tmp_path: Path, text: str, said: list[str]) -> None:
    refusal = _refusal(tmp_path, text)
    for each in said:
        assert each in refusal


@pytest.mark.parametrize(
    "text",
    [
        "[account]\napi_secret = 'abcdef0123456789'\n",
        "api_key = 'abcdef0123456789'\n",
        "[venue]\nToken = 'abcdef0123456789'\n",
    ],
)
def test_a_secret_in_the_file_is_refused_without_repeating_it(tmp_path: Path, text: str) -> None:
    refusal = _refusal(tmp_path, text)
    assert "abcdef0123456789" not in refusal
    assert "never from a file" in refusal


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("GRIDOPS_GRID__LEVELS", "0", "grid.levels = '0'"),
        ("GRIDOPS_GIRD__LEVELS", "3", "did you mean grid?"),
        ("GRIDOPS_LEVELS", "3", "GRIDOPS_LEVELS is no setting"),
        ("GRIDOPS_GRID__SPACING_BPS", "NaN", "environment GRIDOPS_GRID__SPACING_BPS"),
    ],
)
def test_bad_environment_is_refused_by_its_own_name(name: str, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load(file=None, environment={name: text})
    assert said in f"{refused.value} | {refused.value.hint}"


def test_option_beats_environment_beats_file_beats_default_and_each_says_so(tmp_path: Path) -> None:
    file = tmp_path / "gridops.toml"
    file.write_text("[grid]\nlevels = 3\nskew = 0.25\nspacing_bps = 7\n")
    environment = {
        "GRIDOPS_GRID__LEVELS": "4",
        "GRIDOPS_GRID__SKEW": "0.75",
        "GRIDOPS_HOME": "/elsewhere",
        "PATH": "/bin",
    }
    loaded = load(file=file, environment=environment, options={"grid.levels": 5, "grid.skew": None})
    grid = loaded.settings.grid
    assert (grid.levels, grid.skew, grid.spacing_bps, grid.first_level) == (
        5,
        Decimal("0.75"),
        Decimal(7),
        Decimal("0.5"),
    )
    assert loaded.sources["grid.levels"] == "option"
    assert loaded.sources["grid.skew"] == "environment GRIDOPS_GRID__SKEW"
    assert loaded.sources["grid.spacing_bps"] == f"file {file}"
    assert "grid.first_level" not in loaded.sources


def test_fractions_in_the_file_stay_exact(tmp_path: Path) -> None:
    file = tmp_path / "gridops.toml"
    file.write_text("[risk]\nmax_drawdown = 0.07\ndaily_drawdown = 0.0299\n")
    rules = load(file=file, environment={}).settings.rules()
    assert (rules.risk.max_drawdown_bps, rules.risk.daily_drawdown_bps) == (700, 299)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.toml cannot be read"):
        load(file=tmp_path / "absent.toml", environment={})
    (tmp_path / "latin.toml").write_bytes(b"[grid]\n# \xe9\n")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load(file=tmp_path / "latin.toml", environment={})


def test_conditions_in_shadow_reach_the_rules_from_file_and_environment(tmp_path: Path) -> None:
    file = tmp_path / "gridops.toml"
    file.write_text("[health]\nshadow = ['feed_stale', 'loop_lag', 'feed_stale']\n")
    assert load(file=file, environment={}).settings.rules().health.shadow == ("feed_stale", "loop_lag")
    named = load(file=file, environment={"GRIDOPS_HEALTH__SHADOW": "disk_low, venue_down"})
    assert named.settings.rules().health.shadow == ("disk_low", "venue_down")
    assert load(file=None, environment={}).settings.rules().health.shadow == ()


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:80@fapi.binance.com", "http://127.0.0.1:80.example.com/", "http://127.0.0.1:9/../x",
        "http://localhost:9@x", "https://127.0.0.1:9", "http://127.0.0.1", "http://example.com:9", "testnet",
    ],
)  # fmt: skip
def test_an_address_that_only_begins_like_this_machine_is_no_emulators(url: str) -> None:
    with pytest.raises(ConfigError, match=r"venue\.url"):
        load(file=None, environment={}, options={"venue.url": url})


@pytest.mark.parametrize("url", ["paper", "binance", "http://127.0.0.1:9", "http://localhost:9/", "http://[::1]:9"])
def test_addresses_of_this_machine_and_the_named_venues_are_taken(url: str) -> None:
    assert load(file=None, environment={}, options={"venue.url": url}).settings.venue.url == url
