"""Round trips into files: a table as CSV, a page as HTML, each whole or absent.

Beside the commands that ask for them. Written under another name and renamed. A format that needs a library of its own
is `roundtrip_parquet`'s.
"""

import contextlib
import csv
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from gridops.errors import ConfigError


class TripTable:
    """A CSV of trips, one row each, written while they come. A context manager: an error leaves no file."""

    def __init__(self, path: Path) -> None:
        """ConfigError when the folder cannot be written."""
        self._path, self._temp = path, temporary(path)
        self._file: IO[str] = _opened(self._temp, path)
        self._writer: csv.DictWriter[str] | None = None
        self.rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        if error is None:
            self._temp.replace(self._path)
        else:
            with contextlib.suppress(OSError):
                self._temp.unlink()

    def write(self, row: Mapping[str, Any]) -> None:
        """One trip; nested fields become columns named `outer.inner`."""
        columns = dict(flat("", row))
        if self._writer is None:
            self._writer = csv.DictWriter(self._file, list(columns), extrasaction="ignore", lineterminator="\n")
            self._writer.writeheader()
        self._writer.writerow(columns)
        self.rows += 1


def write_text(path: Path, text: str) -> None:
    """Write a whole file. ConfigError when it cannot be."""
    temp = temporary(path)
    with _opened(temp, path) as file:
        file.write(text)
    temp.replace(path)


def temporary(path: Path) -> Path:
    """Where a file is written before it is renamed: in the same folder, its name being nobody else's."""
    return path.with_name(f".{path.name}.{os.getpid()}")


def _opened(temp: Path, path: Path) -> IO[str]:
    try:
        return temp.open("w", encoding="utf-8", newline="")
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be written: {error.strerror}", hint="name a file in a folder of yours"
        ) from error


def flat(name: str, held: Any) -> list[tuple[str, Any]]:
    """A row's columns in order. Those that depend on the row (fees by asset) stay one, as `asset=amount` words."""
    if isinstance(held, Mapping) and name in ("", "entry", "exit", "mark_out"):
        prefix = f"{name}." if name else ""
        return [pair for key, inner in held.items() for pair in flat(f"{prefix}{key}", inner)]
    if isinstance(held, Mapping):
        return [(name, " ".join(f"{key}={_word(inner)}" for key, inner in held.items()))]
    if isinstance(held, list | tuple):
        return [(name, " ".join(map(str, held)))]
    return [(name, "" if held is None else held)]


def _word(held: Any) -> str:
    return (
        "@".join("" if each is None else str(each) for each in held.values())
        if isinstance(held, Mapping)
        else str(held)
    )
