"""Seeded damage to a file's bytes, and watching what a command does to the folders around it.

Knows no format: it cuts, flips, repeats and plants what parsers choke on. Equal seeds give equal bytes.
"""

import random
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

PLANTS = (
    b"\x00", b"\xff\xfe", b"\xed\xa0\x80", b"NaN", b"1e999999999", b"-1", b"9" * 400, b"null", b"[]", b"{}", b'"',
    b"\x1b]0;owned\x07", b"\xe2\x80\xae", b"../../../../outside", b"/outside", b"\r\n", b"[" * 5_000, b'{"a":' * 3_000,
    b"9223372036854775808", b"true", b'"\\ud800"', b"Infinity", b"=", b"'''", b"[[grid]]", b"0x", b"2026-13-45",
)  # fmt: skip


def damaged(body: bytes, seed: int, count: int) -> Iterator[bytes]:
    """`count` variants of these bytes."""
    chance = random.Random(seed)
    for _ in range(count):
        found = body
        for _ in range(chance.choice((1, 1, 1, 2, 5))):
            found = _once(found, chance)
        yield found


def _once(body: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(body) + 1)
    to = min(len(body), at + chance.choice((1, 4, 20, 200)))
    match chance.randrange(7):
        case 0:
            return body[:at]
        case 1:
            return body[:at] + bytes([chance.randrange(256)]) + body[at + 1 :]
        case 2:
            return body[:at] + chance.choice(PLANTS) + body[at:]
        case 3:
            return body[:at] + chance.choice(PLANTS) + body[to:]
        case 4:
            return body[:at] + body[to:]
        case 5:
            return body[:to] + body[at:to] * chance.choice((1, 3, 50)) + body[to:]
        case _:
            return _number_changed(body, chance)


def _number_changed(body: bytes, chance: random.Random) -> bytes:
    """A digit run becomes another value: what still parses is the more dangerous kind."""
    spots = [at for at in range(len(body)) if body[at : at + 1].isdigit() and not body[at - 1 : at].isdigit()]
    if not spots:
        return body + chance.choice(PLANTS)
    at = chance.choice(spots)
    end = at
    while body[end : end + 1].isdigit():
        end += 1
    return body[:at] + chance.choice((b"0", b"-7", b"1e9", b"18446744073709551616", b'"x"', b"null")) + body[end:]


def tree(folder: Path) -> dict[str, str]:
    """Every file below a folder with its digest, links with their target."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            found[str(path)] = f"-> {path.readlink()}"
        elif path.is_file():
            found[str(path)] = sha256(path.read_bytes()).hexdigest()
    return found
