"""Tracebacks and library logging leave the process redacted and without control characters, or not at all.

Installed once by the composition root, before a key is read. It changes what is shown, never what happens: a bug
still ends the process as it did.
"""

import logging
import sys
import threading
import traceback
from types import TracebackType

from gridops.adapters.log_json import JsonLog
from gridops.adapters.redaction import Secrets, plain


def install_hooks(secrets: Secrets, log: JsonLog | None = None) -> None:
    """Route uncaught exceptions of every thread and all `logging` through the redaction, and into the log if given."""

    def tell(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None, where: str) -> None:
        text = safe_traceback(secrets, kind, error, trace)
        _to_stderr(text)
        if log is not None:
            log.write({"event": "uncaught_exception", "where": where, "traceback": text}, important=True)

    def on_unraisable(found: "sys.UnraisableHookArgs") -> None:
        tell(found.exc_type, found.exc_value, found.exc_traceback, "unraisable")

    def on_thread(found: threading.ExceptHookArgs) -> None:
        if not issubclass(found.exc_type, SystemExit):
            tell(found.exc_type, found.exc_value, found.exc_traceback, "thread")

    sys.excepthook = lambda kind, error, trace: tell(kind, error, trace, "main")
    sys.unraisablehook = on_unraisable
    threading.excepthook = on_thread
    logging.lastResort = None
    root = logging.getLogger()
    root.handlers[:] = [LogBridge(secrets, log)]


def safe_traceback(
    secrets: Secrets, kind: type[BaseException], error: BaseException | None, trace: TracebackType | None
) -> str:
    """The traceback as text that may be shown."""
    return plain(secrets.redact("".join(traceback.format_exception(kind, error, trace))), keep="\n\t")


class LogBridge(logging.Handler):
    """What libraries log (asyncio's lost exceptions among it), as a record of our log, or a plain line on stderr."""

    def __init__(self, secrets: Secrets, log: JsonLog | None = None) -> None:
        super().__init__(logging.WARNING)
        self._secrets, self._log = secrets, log

    def emit(self, record: logging.LogRecord) -> None:
        """Never raises."""
        try:
            text = plain(self._secrets.redact(self.format(record)), keep="\n\t")
            if self._log is None:
                _to_stderr(f"{record.name}: {text}\n")
            else:
                self._log.write(
                    {"event": "library_log", "logger": record.name, "level": record.levelname, "message": text}
                )
        except Exception:
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:
        """Silence: the standard one would print the unredacted record."""


def _to_stderr(text: str) -> None:
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        pass
