"""B7: CPU of a cold process: `gridops --help` and `gridops fsm show`, against a Typer program that says hello.

Bytecode is compiled first, and every child may write it; sides take turns. User plus system time of the child.
"""

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from tests.bench.table import Result, times, us

ROUNDS = 9
AIM = 1.15
HELLO = """import typer

app = typer.Typer()


@app.command()
def hello(name: str) -> None:
    print(f"Hello {name}")


if __name__ == "__main__":
    app()
"""
_CHECKOUT = Path(__file__).resolve().parents[2]


def run() -> list[Result]:
    """Help, and a command that reads a home without an engine (its exit code does not matter here)."""
    with tempfile.TemporaryDirectory() as folder:
        hello = Path(folder) / "hello.py"
        hello.write_text(HELLO)
        sides = {
            "typer hello": [str(hello), "World"],
            "gridops --help": ["-m", "gridops_cli", "--help"],
            "gridops fsm show": ["-m", "gridops_cli", "fsm", "show"],
            "python": ["-c", "pass"],
        }
        measured = _interleaved(sides, Path(folder))
    base = measured["typer hello"]
    return [
        Result(
            row="B7",
            what=f"`{name}`, cold process, CPU",
            here=us(measured[name]),
            against=f"typer hello: {us(base)}; python -c pass: {us(measured['python'])}",
            ratio=times(measured[name] / base),
            aim=f"<= {AIM}x",
            peer="typer hello 370 ms, freqtrade --help 229 ms",
            met=measured[name] <= AIM * base,
        )
        for name in ("gridops --help", "gridops fsm show")
    ]


def _interleaved(sides: dict[str, list[str]], folder: Path) -> dict[str, float]:
    spent: dict[str, list[float]] = {name: [] for name in sides}
    start = _starter(folder)
    for number in range(ROUNDS + 1):
        for name, words in sides.items():
            took = start(words)
            if number:
                spent[name].append(took)
    return {name: median(values) for name, values in spent.items()}


def _starter(folder: Path) -> Callable[[Sequence[str]], float]:
    path = os.pathsep.join((str(_CHECKOUT), str(_CHECKOUT / "commands")))
    environment = {**os.environ, "PYTHONPATH": path, "GRIDOPS_HOME": str(folder / "home")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)

    def start(words: Sequence[str]) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *words], env=environment, cwd=folder, capture_output=True, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime) * 1e9

    return start
