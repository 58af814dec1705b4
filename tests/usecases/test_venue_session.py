"""No order can reach a real account unless mode, arming and the account's fingerprint all say so."""

from pathlib import Path
from typing import Any

import pytest
from gridops import config
from gridops.adapters import keys
from gridops.adapters.redaction import Secrets
from gridops.errors import ConfigError, GridopsError, Refused
from gridops.usecases.venue_session import MarketOptions, VenueSession, open_session

MARKET = MarketOptions(market="synthetic:1", speed="1", from_ms=None, loop=False)
ENVIRONMENT = {"GRIDOPS_API_KEY": "k" * 32, "GRIDOPS_API_SECRET": "s" * 32}


def _fingerprint() -> str:
    pair = keys.load(dict(ENVIRONMENT), Secrets(), account="main", keyring=False)
    return keys.fingerprint(venue="binance", account="main", api_key=pair.api_key)


def _open(tmp_path: Path, *, armed: bool, **options: Any) -> VenueSession:
    settings = config.load(file=None, environment={}, options={"account.name": "main", **options}).settings
    return open_session(
        settings, market=MARKET, store=tmp_path, armed=armed, environment=dict(ENVIRONMENT), secrets=Secrets()
    )


@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize("armed", [True, False])
@pytest.mark.parametrize("confirmed", [True, False])
def test_the_real_venue_opens_only_with_all_three_locks(
    tmp_path: Path, live: bool, armed: bool, confirmed: bool
) -> None:
    options = {
        "venue.url": "binance",
        "account.mode": "live" if live else "paper",
        "account.fingerprint": _fingerprint() if confirmed else "0" * 64,
    }
    if live and armed and confirmed:
        session = _open(tmp_path, armed=armed, **options)
        assert session.live
        assert session.settings.rest is None
        return
    with pytest.raises(GridopsError):
        _open(tmp_path, armed=armed, **options)


def test_a_wrong_fingerprint_is_a_config_error_that_names_the_right_one(tmp_path: Path) -> None:
    options = {"venue.url": "binance", "account.mode": "live", "account.fingerprint": "0" * 64}
    with pytest.raises(ConfigError, match=_fingerprint()):
        _open(tmp_path, armed=True, **options)


def test_an_unarmed_live_run_is_refused(tmp_path: Path) -> None:
    options = {"venue.url": "binance", "account.mode": "live", "account.fingerprint": _fingerprint()}
    with pytest.raises(Refused, match="not armed"):
        _open(tmp_path, armed=False, **options)


@pytest.mark.parametrize("url", ["https://fapi.binance.com", "http://10.0.0.1:80", "ftp://x", "http://127.0.0.1.evil/"])
def test_only_loopback_emulators_may_be_named_by_url(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError, match=r"venue\.url"):
        _open(tmp_path, armed=True, **{"venue.url": url})


def test_keys_do_not_show_in_the_session(tmp_path: Path) -> None:
    session = _open(tmp_path, armed=True, **{"venue.url": "http://127.0.0.1:1"})
    assert "k" * 32 not in repr(session)
    assert "s" * 32 not in repr(session)
