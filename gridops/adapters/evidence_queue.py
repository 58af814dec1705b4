"""Evidence in the background: handing a bundle over never waits, never raises, never grows without limit.

Protection comes first. When the disk is slow, full or gone, the bundle is lost, the loss is counted and reported to
the callback; the caller goes on.
"""

import queue
import threading
from collections.abc import Callable

from gridops.adapters.allocator import fill_thread_cache
from gridops.adapters.evidence_files import Bundle, EvidenceWriter
from gridops.domain.evidence_ref import EvidenceRef
from gridops.errors import EvidenceError


class EvidenceQueue:
    """One writer thread. Callbacks run in it; those of a full or closed queue run where `put` was called."""

    def __init__(
        self,
        writer: EvidenceWriter,
        *,
        limit: int = 256,
        on_done: Callable[[Bundle, EvidenceRef], None] | None = None,
        on_failure: Callable[[Bundle, Exception], None] | None = None,
    ) -> None:
        self.written = 0
        self.failures = 0
        self._writer, self._on_done, self._on_failure = writer, on_done, on_failure
        self._waiting: queue.Queue[Bundle | None] = queue.Queue(limit)
        self._closed = False
        self._gate = threading.Lock()
        self._thread = threading.Thread(target=self._work, name="evidence", daemon=True)
        self._thread.start()

    def put(self, bundle: Bundle) -> bool:
        """Hand it over; False (and counted as a failure) if the queue is full or closed."""
        try:
            with self._gate:
                if not self._closed:
                    self._waiting.put_nowait(bundle)
                    return True
            why = "closed"
        except queue.Full:
            why = "full"
        self._failed(bundle, EvidenceError(f"the evidence queue is {why}"))
        return False

    def close(self, timeout_s: float = 10.0) -> bool:
        """Write what waits, then end. False if the disk did not finish in time; what was left is lost."""
        with self._gate:
            first, self._closed = not self._closed, True
        if first:
            try:
                self._waiting.put(None, timeout=timeout_s)
            except queue.Full:
                return False
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _work(self) -> None:
        fill_thread_cache()
        while (bundle := self._waiting.get()) is not None:
            try:
                ref = self._writer.write(bundle)
            except Exception as error:  # the thread outlives any one bundle
                self._failed(bundle, error)
            else:
                self._done(bundle, ref)

    def _done(self, bundle: Bundle, ref: EvidenceRef) -> None:
        self.written += 1
        try:
            if self._on_done is not None:
                self._on_done(bundle, ref)
        except Exception:  # nobody else is there to hear a callback fail
            self._count_failure()

    def _failed(self, bundle: Bundle, error: Exception) -> None:
        self._count_failure()
        try:
            if self._on_failure is not None:
                self._on_failure(bundle, error)
        except Exception:
            self._count_failure()

    def _count_failure(self) -> None:
        with self._gate:
            self.failures += 1
