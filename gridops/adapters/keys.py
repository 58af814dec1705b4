"""API keys: from the environment, the service manager's credentials folder or the OS keyring, and nowhere else.

Wrapped as SecretStr and registered for redaction before anybody sees them. They are refused in files, options and
settings; what is taken from the environment is removed there, so that no child process inherits it.
"""

import importlib
from collections.abc import Mapping, MutableMapping
from hashlib import sha256
from pathlib import Path

from pydantic import SecretStr

from gridops.adapters.redaction import Secrets
from gridops.domain.values import record
from gridops.errors import ConfigError

KEY, SECRET = "GRIDOPS_API_KEY", "GRIDOPS_API_SECRET"
KEYRING_SERVICE = "gridops"
_MAX_FILE = 4_096


@record
class Keys:
    """One key pair; `source` says where it came from, never what it is."""

    api_key: SecretStr
    api_secret: SecretStr
    source: str


def load(environment: MutableMapping[str, str], secrets: Secrets, *, account: str, keyring: bool = True) -> Keys:
    """The account's keys, registered with `secrets`. The first source that has any must have both.

    Raises:
        ConfigError: none was found, one of the two is missing, or one cannot be a key.
    """
    for source, pair in (
        ("environment", _from_environment(environment)),
        ("credentials folder", _from_credentials(environment)),
        ("OS keyring", _from_keyring(account) if keyring else ("", "")),
    ):
        if any(pair):
            return _keys(pair, source, secrets)
    raise ConfigError(
        "no API key was found",
        hint=f"set {KEY} and {SECRET}, or give gridops_api_key and gridops_api_secret as service credentials",
    )


def fingerprint(*, venue: str, account: str, api_key: SecretStr) -> str:
    """What identifies an environment without a secret: sha256 hex of venue, account and the key's own hash."""
    key_hash = sha256(api_key.get_secret_value().encode()).hexdigest()
    return sha256(f"{venue}|{account}|{key_hash}".encode()).hexdigest()


def register_ambient(environment: Mapping[str, str], secrets: Secrets) -> None:
    """Blank keys that stand in the environment, for commands that need none. Never raises."""
    for name in (KEY, SECRET):
        if len(environment.get(name, "")) >= 8:
            secrets.register(environment[name])


def _keys(pair: tuple[str, str], source: str, secrets: Secrets) -> Keys:
    for name, text in zip(("key", "secret"), pair, strict=True):
        if not text:
            raise ConfigError(f"the API {name} is missing in the {source}, though its other half is there")
        if not text.isascii() or not text.isprintable() or " " in text:
            raise ConfigError(f"the API {name} from the {source} holds characters that no key has")
        secrets.register(text)
    return Keys(api_key=SecretStr(pair[0]), api_secret=SecretStr(pair[1]), source=source)


def _from_environment(environment: MutableMapping[str, str]) -> tuple[str, str]:
    return environment.pop(KEY, "").strip(), environment.pop(SECRET, "").strip()


def _from_credentials(environment: Mapping[str, str]) -> tuple[str, str]:
    folder = environment.get("CREDENTIALS_DIRECTORY", "")
    if not folder.startswith("/"):
        return "", ""
    return _file(Path(folder) / "gridops_api_key"), _file(Path(folder) / "gridops_api_secret")


def _file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_FILE).decode("ascii").strip()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path.name} in the credentials folder cannot be read") from error


def _from_keyring(account: str) -> tuple[str, str]:
    """The `keyring` package where an operator installed it; without it, or without a backend, nothing."""
    try:
        ring = importlib.import_module("keyring")
        found = [ring.get_password(KEYRING_SERVICE, f"{account}/{name}") for name in ("api_key", "api_secret")]
    except Exception:  # its backends raise whatever their service raises; no keyring is no key
        return "", ""
    return str(found[0] or "").strip(), str(found[1] or "").strip()
