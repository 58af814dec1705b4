"""The gridops command in a process whose engine is tempted: run as a script in the place of `python -m gridops_cli`.

`TEMPTED_FOLDER` names where the attempts are written, one JSON line each, and where a file `drawdown` makes a drawdown
suspected at every step.
"""

import os
from dataclasses import replace
from pathlib import Path

import msgspec
from gridops.runtime import act
from gridops.runtime.state import EngineState
from tests.tempter import Attempt, Tempter

from gridops_cli import main


def install(folder: Path) -> None:
    """Tempt every engine of this process."""
    attempts = (folder / "attempts.jsonl").open("ab", buffering=0)

    def told(attempt: Attempt) -> None:
        attempts.write(msgspec.json.encode(attempt) + b"\n")

    def prepare(state: EngineState) -> None:
        if (folder / "drawdown").exists():
            state.drawdown = replace(state.drawdown, breaches=max(1, state.drawdown.breaches))

    tempter = Tempter(told=told)
    tempter.prepare = prepare
    act.run = tempter.run  # type: ignore[assignment]


if __name__ == "__main__":
    install(Path(os.environ["TEMPTED_FOLDER"]))
    main()
