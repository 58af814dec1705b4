"""SVG snapshots: one file each, with the random ids of an export made equal."""

import re
from typing import Any

from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

_RANDOM_ID = re.compile(r"terminal-\d+")
_FONT = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


class SvgExtension(SingleFileSnapshotExtension):
    """Compares what a terminal would show, colours included; the files open in a browser."""

    _write_mode = WriteMode.TEXT
    file_extension = "svg"

    def serialize(self, data: Any, **_: Any) -> str:
        return _FONT.sub("", _RANDOM_ID.sub("terminal", str(data)))
