"""Keys come from three places in one order, are never shown, and are registered for redaction before they are used."""

import hashlib
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from gridops.adapters.keys import fingerprint, load, register_ambient
from gridops.adapters.redaction import MASK, Secrets
from gridops.errors import ConfigError
from pydantic import SecretStr

KEY, SECRET = "k" * 20 + "EYpart", "s" * 20 + "ECRETpart"


def test_environment_keys_are_taken_out_of_it_and_redacted() -> None:
    environment, secrets = {"GRIDOPS_API_KEY": KEY, "GRIDOPS_API_SECRET": SECRET, "PATH": "/bin"}, Secrets()
    keys = load(environment, secrets, account="live", keyring=False)
    assert (keys.api_key.get_secret_value(), keys.api_secret.get_secret_value()) == (KEY, SECRET)
    assert environment == {"PATH": "/bin"}
    assert KEY not in repr(keys) and SECRET not in repr(keys)
    assert secrets.redact(f"a {KEY} b {SECRET}") == f"a {MASK} b {MASK}"


def test_credentials_folder_is_read_when_the_environment_has_none(tmp_path: Path) -> None:
    (tmp_path / "gridops_api_key").write_text(KEY + "\n")
    (tmp_path / "gridops_api_secret").write_text(SECRET + "\n")
    keys = load({"CREDENTIALS_DIRECTORY": str(tmp_path)}, Secrets(), account="live", keyring=False)
    assert keys.source == "credentials folder"
    assert keys.api_secret.get_secret_value() == SECRET


def test_the_os_keyring_is_asked_last(monkeypatch: pytest.MonkeyPatch) -> None:
    held = {("gridops", "live/api_key"): KEY, ("gridops", "live/api_secret"): SECRET}
    monkeypatch.setitem(sys.modules, "keyring", SimpleNamespace(get_password=lambda *named: held.get(named)))
    assert load({}, Secrets(), account="live").source == "OS keyring"
    with pytest.raises(ConfigError, match="no API key"):
        load({}, Secrets(), account="other")


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, "no API key"),
        ({"GRIDOPS_API_KEY": KEY}, "API secret is missing in the environment"),
        ({"GRIDOPS_API_SECRET": SECRET}, "API key is missing in the environment"),
        ({"GRIDOPS_API_KEY": KEY, "GRIDOPS_API_SECRET": "qX9"}, "too short"),
        ({"GRIDOPS_API_KEY": "two words here", "GRIDOPS_API_SECRET": SECRET}, "characters that no key has"),
    ],
)
def test_half_or_impossible_keys_are_refused_without_showing_them(environment: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError, match=said) as refused:
        load(dict(environment), Secrets(), account="live", keyring=False)
    for secret in environment.values():
        assert secret not in str(refused.value)


def test_fingerprint_names_venue_account_and_key_without_the_key() -> None:
    expected = hashlib.sha256(f"binance|live|{hashlib.sha256(KEY.encode()).hexdigest()}".encode()).hexdigest()
    assert fingerprint(venue="binance", account="live", api_key=SecretStr(KEY)) == expected
    assert fingerprint(venue="binance", account="other", api_key=SecretStr(KEY)) != expected


def test_commands_without_a_venue_still_blank_ambient_keys() -> None:
    secrets = Secrets()
    register_ambient({"GRIDOPS_API_KEY": KEY, "GRIDOPS_API_SECRET": "short"}, secrets)
    assert secrets.redact(KEY) == MASK
