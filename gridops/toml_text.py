"""Reads a TOML file that somebody else wrote: bounded, regular, UTF-8. Parses nothing; cheap to import."""

import os
from pathlib import Path

from gridops.errors import ConfigError

MOST_BYTES = 1024 * 1024


def read_toml(file: Path) -> str:
    """The text of a settings file or drill. ConfigError for what is no regular UTF-8 file of a sane size."""
    hint = "a plain text file in TOML; `gridops init` writes one"
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as stream:
            if not os.path.isfile(stream.fileno()):
                raise ConfigError(f"{file} is no regular file", hint=hint)
            content = stream.read(MOST_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}", hint=hint) from error
    if len(content) > MOST_BYTES:
        raise ConfigError(f"{file} is longer than {MOST_BYTES} bytes", hint=hint)
    try:
        return content.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file} is not UTF-8 text", hint=hint) from error
