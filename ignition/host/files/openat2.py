# SPDX-License-Identifier: Apache-2.0
"""System calls that Python lacks: openat2(2) and syncfs(2)."""

from __future__ import annotations

import errno
import functools
import os
import struct
from typing import TYPE_CHECKING, Any, Final

from ignition.errors import IgnitionError

if TYPE_CHECKING:
    import ctypes

__all__ = ["open_in_root", "syncfs"]

OPENAT2: Final = 437
"""Number of the system call, the same on all supported architectures."""

RESOLVE_NO_MAGICLINKS: Final = 0x02
RESOLVE_IN_ROOT: Final = 0x10
ATTEMPTS: Final = 128


def open_in_root(top: int, path: str, flags: int) -> int:
    """Open `path` with the directory `top` as root, as after a `chroot`; return the descriptor.

    The kernel returns EAGAIN when a directory above was renamed while it resolved `..`.

    Raises:
        OSError: EAGAIN after all attempts, or the error of openat2.
        IgnitionError: the kernel has no openat2.
    """
    how = struct.pack("=QQQ", flags, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)
    for _ in range(ATTEMPTS):
        try:
            return _call("syscall", OPENAT2, top, os.fsencode(path), how, len(how))
        except (BlockingIOError, InterruptedError):
            continue
        except OSError as error:
            if error.errno == errno.ENOSYS:
                raise IgnitionError(
                    "the kernel lacks openat2, which resolves paths inside the target root",
                    hint="boot Linux 5.6 or newer",
                ) from error
            raise
    raise OSError(errno.EAGAIN, "directories above are being renamed")


def syncfs(descriptor: int) -> None:
    """Flush the filesystem of an open file."""
    _call("syncfs", descriptor)


def _call(function: str, *arguments: int | bytes) -> int:
    """Call a function of the C library that returns -1 and sets errno on an error."""
    import ctypes

    words: list[Any] = [each if isinstance(each, bytes) else ctypes.c_long(each) for each in arguments]
    answer = int(getattr(_c_library(), function)(*words))
    if answer == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return answer


@functools.cache
def _c_library() -> ctypes.CDLL:
    """Return the C library of this process; ctypes is imported only when a path is resolved."""
    import ctypes

    library = ctypes.CDLL(None, use_errno=True)
    for function in ("syscall", "syncfs"):
        getattr(library, function).restype = ctypes.c_long
    return library
