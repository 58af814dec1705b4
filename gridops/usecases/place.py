"""Which home, account, config file and evidence root a command means. Cheap: no settings are validated here.

Every command starts here. It opens nothing; what it cannot decide it asks the operator, by name.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path

from gridops.adapters.home import Home, Located, resolve
from gridops.domain.values import record
from gridops.errors import ConfigError
from gridops.toml_text import read_toml

CONFIG_FILE = "gridops.toml"
EVIDENCE_FOLDER = "evidence"
DEFAULT_ACCOUNT = "paper"


@record
class Wanted:
    """What was said on the command line; None where nothing was."""

    home: str | None = None
    account: str | None = None
    config: str | None = None
    evidence_dir: str | None = None


@record
class Place:
    """Where a command works. `evidence_root` stays relative when it was given so: it is printed to be pasted."""

    located: Located
    account: str
    config: Path | None
    evidence_root: Path

    @property
    def home(self) -> Home:
        return self.located.home


def find(wanted: Wanted, environment: Mapping[str, str], cwd: Path, *, for_start: bool = False) -> Place:
    """Resolve all four. ConfigError when a named config file is absent or several accounts could be meant."""
    located = resolve(wanted.home, environment, cwd, for_start=for_start)
    config = config_file(wanted.config, located.home, cwd)
    account = _account(wanted, environment, config) or (DEFAULT_ACCOUNT if for_start else _only(located.home))
    located.home.lease(account)
    return Place(
        located=located, account=account, config=config, evidence_root=evidence_root(wanted.evidence_dir, environment)
    )


def evidence_root(option: str | None, environment: Mapping[str, str]) -> Path:
    """Option, GRIDOPS_EVIDENCE_DIR, `evidence` in the working directory."""
    return Path(option or environment.get("GRIDOPS_EVIDENCE_DIR") or EVIDENCE_FOLDER)


def config_file(option: str | None, home: Home, cwd: Path) -> Path | None:
    """The file named, else `gridops.toml` here, else the one beside the home; None when there is none."""
    if option:
        named = cwd / option
        if not named.is_file():
            raise ConfigError(f"{option} is no file", hint="--config names a gridops.toml")
        return named
    for folder in (cwd, home.root.parent):
        if (folder / CONFIG_FILE).is_file():
            return folder / CONFIG_FILE
    return None


def _account(wanted: Wanted, environment: Mapping[str, str], config: Path | None) -> str:
    return wanted.account or environment.get("GRIDOPS_ACCOUNT__NAME") or _account_in(config)


def _only(home: Home) -> str:
    """The account this home holds; the default one where it holds none."""
    known = home.accounts()
    if len(known) > 1 and DEFAULT_ACCOUNT not in known:
        raise ConfigError(f"{home.root} holds accounts {', '.join(known)}", hint="say which with --account")
    return known[0] if len(known) == 1 else DEFAULT_ACCOUNT


def _account_in(config: Path | None) -> str:
    """The account a config file names; a file that cannot be read names none here and is refused where it matters."""
    if config is None:
        return ""
    try:
        section = tomllib.loads(read_toml(config)).get("account", {})
    except (ConfigError, ValueError, ArithmeticError, RecursionError):
        return ""
    name = section.get("name", "") if isinstance(section, dict) else ""
    return name if isinstance(name, str) else ""
