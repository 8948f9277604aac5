"""What the bits of a training and its speed depend on beside its config: threads, kernels, the allocator."""

import ctypes
import sys
from functools import cache

import torch


def set_numerics(threads: int) -> None:
    """What the bits depend on; set before each use, because other runs share the process."""
    torch.set_num_threads(threads)
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False  # fp32 means fp32
    torch.backends.cudnn.benchmark = False


@cache
def keep_freed_memory() -> None:
    """Let glibc reuse what a batch has freed: by default each activation is mapped anew, and its pages fault anew."""
    M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # malloc.h
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    if libc is not None and hasattr(libc, "mallopt"):  # musl has none
        libc.mallopt(M_MMAP_MAX, 0)
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
