"""The one place that reads a clock. Everything else is told the time on its event."""

import time
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_NO_BOOT_ID = "unknown"
# CLOCK_BOOTTIME goes on while the machine sleeps, so an engine that wakes up sees how old its decision is. Elsewhere
# than on Linux the monotonic clock stands in, which may stop during suspend.
_BOOT_CLOCK: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Clock:
    """The machine's clocks."""

    def wall_ms(self) -> int:
        """UTC unix milliseconds; may jump when the machine is set."""
        return time.time_ns() // 1_000_000

    def boot_ns(self) -> int:
        """Nanoseconds since boot, suspend included; never goes back, comparable within one boot only."""
        return time.clock_gettime_ns(_BOOT_CLOCK)

    def boot_id(self) -> str:
        """Which boot `boot_ns` counts from; `unknown` where the system does not say, which equals no other boot."""
        try:
            return _BOOT_ID.read_text(encoding="ascii").strip()
        except OSError:
            return _NO_BOOT_ID
