"""What a run remembers of its settings: a verdict on the same texts only, and never one on others."""

from pathlib import Path

import gridops.config
import pytest
from gridops.usecases import settings_known
from gridops.usecases.place import Place, Wanted, find

TOML = '[venue]\nurl = "binance"\n[operations]\nmin_free_mb = 700\n'


@pytest.fixture
def place(tmp_path: Path) -> Place:
    file = tmp_path / "gridops.toml"
    file.write_text(TOML)
    return find(Wanted(home=str(tmp_path / "home"), config=str(file)), {}, tmp_path)


def _never(**_: object) -> None:
    raise AssertionError("validated anew")


def test_the_same_texts_are_not_validated_twice(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    before = settings_known.read(place, {})
    settings_known.remember(place, {})
    monkeypatch.setattr(gridops.config, "load", _never)
    assert settings_known.read(place, {}) == before
    assert before == (settings_known.Known(url="binance", min_free_mb=700), "")
    secret = {"GRIDOPS_API_KEY": "no setting", "HOME": "/"}
    assert settings_known.read(place, secret) == before


@pytest.mark.parametrize("change", ["file", "environment", "nothing", "damage", "depth", "version"])
def test_any_other_text_is_judged_by_itself(place: Place, change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings_known.remember(place, {})
    environment: dict[str, str] = {}
    assert place.config is not None
    (note,) = place.home.cache_dir.glob("*.settings.json")
    if change == "file":
        place.config.write_text(TOML.replace("700", "-1"))
    elif change == "environment":
        environment = {"GRIDOPS_OPERATIONS__MIN_FREE_MB": "-1"}
    elif change == "nothing":
        note.unlink()
    elif change == "version":
        monkeypatch.setattr(gridops, "__version__", "another")
    else:
        note.write_bytes(b"{" if change == "damage" else b"[" * 100_000)
    known, refused = settings_known.read(place, environment)
    if change in ("file", "environment"):
        assert known is None and "min_free_mb" in refused
    else:
        assert known == settings_known.Known(url="binance", min_free_mb=700)
        monkeypatch.setattr(gridops.config, "load", _never)
        with pytest.raises(AssertionError, match="validated anew"):
            settings_known.read(place, environment)


def test_refused_texts_and_a_home_that_refuses_leave_no_note(place: Place) -> None:
    assert place.config is not None
    settings_known.remember(place, {"GRIDOPS_GRID__LEVELS": "none"})
    assert not place.home.cache_dir.exists()
    place.home.root.parent.mkdir(exist_ok=True)
    place.home.root.write_text("a file")
    settings_known.remember(place, {})
    assert settings_known.read(place, {})[1] == ""
