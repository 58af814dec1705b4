"""Round trips as a Parquet file, with the columns of the CSV and a type each; whole or absent.

Beside `roundtrip_file`. The library that writes it is large and not needed otherwise: it is an extra of its own, loaded
only here. Money and prices are decimals, moments are UTC milliseconds; nothing becomes a float.
"""

import contextlib
import importlib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from gridops.adapters.roundtrip_file import flat, temporary
from gridops.errors import ConfigError

LIBRARY = "polars"
TEXTS = ("trip_id", "of", "symbol", "side", "policy", "regime", "fees_by_asset", "fee_rates", "close_reason", "fills")
FLAGS = ("open", "unvalued_fee")
NUMBERS = ("level", "hold_ms")
MOMENTS = ("entry.at_ms", "exit.at_ms")
SCALE = 14
"""Decimals of a decimal: half a tick of a lot of any instrument, and more."""
_AT_ONCE = 20_000
"""Rows that are held as objects until they become columns."""


class TripParquet:
    """Takes trips as `TripTable` does and writes them when it is left. A context manager: an error leaves no file."""

    def __init__(self, path: Path) -> None:
        """ConfigError when the library is not installed or the folder cannot be written."""
        self._library = _library()
        self._path, self._temp = path, temporary(path)
        self._rows: list[dict[str, Any]] = []
        self._frames: list[Any] = []
        try:
            self._temp.touch()
        except OSError as error:
            message = f"{path} cannot be written: {error.strerror}"
            raise ConfigError(message, hint="name a file in a folder of yours") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._store()
                self._library.concat(self._frames).write_parquet(self._temp)
                self._temp.replace(self._path)
        finally:
            with contextlib.suppress(OSError):
                self._temp.unlink()

    def write(self, row: Mapping[str, Any]) -> None:
        """One trip; nested fields become columns named `outer.inner`."""
        self._rows.append(dict(flat("", row)))
        if len(self._rows) >= _AT_ONCE:
            self._store()

    def _store(self) -> None:
        """Rows become columns; without any there is a frame without columns."""
        if not self._rows and self._frames:
            return
        names = list(self._rows[0]) if self._rows else []
        columns = [self._column(name, [row[name] for row in self._rows]) for name in names]
        self._frames.append(self._library.DataFrame(columns))
        self._rows.clear()

    def _column(self, name: str, values: list[Any]) -> Any:
        library = self._library
        if name in TEXTS:
            return library.Series(name, values, dtype=library.String)
        if name in FLAGS:
            return library.Series(name, values, dtype=library.Boolean)
        if name in NUMBERS:
            return library.Series(name, values, dtype=library.Int64)
        if name in MOMENTS:
            return library.Series(name, values, dtype=library.Int64).cast(library.Datetime("ms", "UTC"))
        amounts = [None if value == "" else Decimal(value) for value in values]
        return library.Series(name, amounts, dtype=library.Decimal(38, SCALE))


def _library() -> Any:
    try:
        return importlib.import_module(LIBRARY)
    except ImportError as error:
        raise ConfigError(
            f"--parquet is written with {LIBRARY}, which is not installed",
            hint='pip install "gridops-cli[parquet]", or write --csv',
        ) from error
