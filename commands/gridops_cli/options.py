"""Options that commands share, and where they lead."""

import os
from pathlib import Path
from typing import Annotated

import typer
from gridops.errors import ConfigError
from gridops.usecases.place import Place, Wanted, find

HomeOption = Annotated[
    str | None,
    typer.Option("--home", help="Home folder; else GRIDOPS_HOME, .gridops here or above, a running engine's."),
]
AccountOption = Annotated[str | None, typer.Option("--account", help="Account of that home; else the config's.")]
ConfigOption = Annotated[str | None, typer.Option("--config", help="Config file; else gridops.toml here or at home.")]
EvidenceOption = Annotated[
    str | None, typer.Option("--evidence-dir", help="Evidence root; else GRIDOPS_EVIDENCE_DIR or ./evidence.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document on stdout; the evidence line on stderr.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; recorded with your name.")]
AuthorOption = Annotated[str, typer.Option("--author", help="Who decides this; else the user at this terminal.")]

_UNITS = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0, "": 1.0}


def place(
    home: str | None, account: str | None, config: str | None, evidence_dir: str | None, *, for_start: bool = False
) -> Place:
    """Where the command works."""
    wanted = Wanted(home=home, account=account, config=config, evidence_dir=evidence_dir)
    return find(wanted, os.environ, Path.cwd(), for_start=for_start)


def seconds(name: str, text: str | None) -> float | None:
    """`90`, `90s`, `5m`, `1.5h` as seconds; ConfigError for anything else."""
    if text is None:
        return None
    number, unit = (text[:-1], text[-1]) if text and text[-1] in _UNITS else (text, "")
    try:
        found = float(number) * _UNITS[unit]
    except ValueError:
        found = -1.0
    if not 0 < found <= 366 * 86_400:
        raise ConfigError(f"{name} {text!r} is no duration", hint="write 90s, 5m or 1.5h; at most 366d")
    return found
