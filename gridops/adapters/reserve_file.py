"""The last place for a reducing intent when the journal's disk refuses: a preallocated, synchronous file beside it.

Written while the journal fails, read and cleared at the next start. Every byte it will ever need is allocated and
written when it is created, so a full disk does not stop it; it refuses what does not fit and never grows.
"""

import os
import struct
from pathlib import Path
from zlib import crc32

from gridops.errors import JournalError

SIZE = 1 << 20
_MAGIC = b"gridRSV1"
_HEADER = struct.Struct(">8sQ")
_RECORD = struct.Struct(">II")


class ReserveFile:
    """Length and checksum in front of each record; the checksum covers the generation, so cleared records stay gone."""

    def __init__(self, path: Path) -> None:
        """Open the file, or create and preallocate it (0600).

        Raises:
            JournalError: it cannot be created, or it is not a reserve file.
        """
        self.path = path
        try:
            if not path.exists():
                _create(path)
            self._handle = os.open(path, os.O_RDWR | os.O_DSYNC | os.O_CLOEXEC)
        except OSError as error:
            raise JournalError(
                f"cannot open the reserve file {path}: {error}", hint="check space and rights"
            ) from error
        self._generation = self._read_generation()
        _, self._end = self._scan()

    def write(self, body: bytes) -> bool:
        """Append a record synchronously; False when it does not fit or the disk refuses."""
        record = _RECORD.pack(len(body), self._checksum(body)) + body
        if not body or self._end + len(record) > SIZE:
            return False
        try:
            written = os.pwrite(self._handle, record, self._end)
        except OSError:
            return False
        if written != len(record):
            return False
        self._end += len(record)
        return True

    def read_all(self) -> list[bytes]:
        """Return every whole record in order; a torn one ends the list."""
        return self._scan()[0]

    def clear(self) -> None:
        """Forget every record with one write of eight bytes. Raises JournalError when the disk refuses."""
        try:
            os.pwrite(self._handle, _HEADER.pack(_MAGIC, self._generation + 1), 0)
        except OSError as error:
            raise JournalError(f"cannot clear the reserve file {self.path}: {error}") from error
        self._generation += 1
        self._end = _HEADER.size

    def close(self) -> None:
        """Let the file go. Idempotent."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def _checksum(self, body: bytes) -> int:
        return crc32(body, crc32(self._generation.to_bytes(8, "big")))

    def _read_generation(self) -> int:
        head = os.pread(self._handle, _HEADER.size, 0)
        if len(head) < _HEADER.size or not head.startswith(_MAGIC):
            self.close()
            raise JournalError(f"{self.path} is not a reserve file", hint="move it away and start again")
        generation: int = _HEADER.unpack(head)[1]
        return generation

    def _scan(self) -> tuple[list[bytes], int]:
        content = os.pread(self._handle, SIZE, 0)
        records: list[bytes] = []
        at = _HEADER.size
        while at + _RECORD.size <= len(content):
            length, checksum = _RECORD.unpack_from(content, at)
            body = content[at + _RECORD.size : at + _RECORD.size + length]
            if length == 0 or len(body) != length or self._checksum(body) != checksum:
                break
            records.append(body)
            at += _RECORD.size + length
        return records, at


def _create(path: Path) -> None:
    """Allocate and write all bytes under another name first: a half-made reserve must not be taken for one."""
    unfinished = path.with_name(path.name + ".new")
    handle = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(handle, 0o600)
        os.posix_fallocate(handle, 0, SIZE)
        # Zeros are written too: converting an unwritten extent later could need space for its metadata.
        os.pwrite(handle, _HEADER.pack(_MAGIC, 1) + bytes(SIZE - _HEADER.size), 0)
        os.fsync(handle)
    finally:
        os.close(handle)
    os.replace(unfinished, path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
