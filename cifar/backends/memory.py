"""How the C library deals with the memory that a framework frees and asks for again at every step."""

import ctypes
import sys

_MMAP_MAX, _TRIM_THRESHOLD = -4, -1  # of glibc's <malloc.h>


def keep_freed() -> None:
    """Keep freed memory in the process.

    glibc gives every large block back to the system at once, and the system clears each page of the next one: a
    training step of large tensors then spends up to half of its time on that (benchmarks/processor.py). The process's
    memory stays at its peak instead. Other C libraries are left as they are."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_MMAP_MAX, 0)  # large blocks from the heap, as small ones
        mallopt(_TRIM_THRESHOLD, -1)  # whose end is never cut off
