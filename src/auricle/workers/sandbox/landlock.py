"""Landlock: restrict this process to an allowlist of files. Linux 5.13 and newer.

It is three system calls, called through ctypes because no maintained library supports it
(https://docs.kernel.org/userspace-api/landlock.html). It applies to the calling thread and to
threads started later, so call it before anything that starts threads. It cannot be undone. The
process can no longer trace processes outside; from Linux 6.12 on it cannot signal them either.
"""

import ctypes
import enum
import os
import stat
import struct
from collections.abc import Iterable

# The same numbers on every architecture (include/uapi/asm-generic/unistd.h).
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_VERSION = 1  # LANDLOCK_CREATE_RULESET_VERSION
_PATH_BENEATH = 1  # LANDLOCK_RULE_PATH_BENEATH
_SCOPE_ABSTRACT_SOCKETS, _SCOPE_SIGNALS = 1, 2  # LANDLOCK_SCOPE_*

TRUNCATE_ABI = 3
"""Linux 6.2. Before it, a readable file can be truncated."""
_REFER_ABI, _IOCTL_ABI, _SCOPE_ABI = 2, 5, 6


class Access(enum.IntFlag):
    """Access that a rule grants (``LANDLOCK_ACCESS_FS_*``); execution is not restricted.

    ``REFER``, ``TRUNCATE`` and ``IOCTL_DEV`` are omitted where the kernel does not support them.
    """

    WRITE_FILE = 1 << 1
    READ_FILE = 1 << 2
    READ_DIR = 1 << 3
    CHANGE_FOLDER = (1 << 13) - (1 << 4)  # removing and making files and folders of all kinds
    REFER = 1 << 13
    TRUNCATE = 1 << 14
    IOCTL_DEV = 1 << 15

    READ = READ_FILE | READ_DIR
    ALL = WRITE_FILE | READ | CHANGE_FOLDER | REFER | TRUNCATE | IOCTL_DEV


_ON_A_FILE = Access.WRITE_FILE | Access.READ_FILE | Access.TRUNCATE | Access.IOCTL_DEV


def version() -> int:
    """Return the Landlock ABI version; 0 if the kernel lacks Landlock or it is disabled."""
    version: int = _system_call(_CREATE_RULESET, None, ctypes.c_size_t(0), _ASK_VERSION)
    return max(0, version)


def restrict_files(rules: Iterable[tuple[str, Access]]) -> None:
    """Deny access to all files except those at and below these paths; skip missing paths.

    ``no_new_privs`` must be set before.

    Raises:
        OSError: The kernel refuses.
    """
    abi = version()
    handled = _known_to(abi)
    scopes = _SCOPE_ABSTRACT_SOCKETS | _SCOPE_SIGNALS if abi >= _SCOPE_ABI else 0
    # struct landlock_ruleset_attr: files, network, scopes. Older kernels accept trailing zeros.
    attributes = struct.pack("=QQQ", handled, 0, scopes)
    ruleset = _checked(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    try:
        for path, access in rules:
            _add_rule(ruleset, path, access & handled)
        _checked(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _known_to(abi: int) -> Access:
    handled = Access.ALL
    for flag, since in (
        (Access.REFER, _REFER_ABI),
        (Access.TRUNCATE, TRUNCATE_ABI),
        (Access.IOCTL_DEV, _IOCTL_ABI),
    ):
        if abi < since:
            handled &= ~flag
    return handled


def _add_rule(ruleset: int, path: str, access: Access) -> None:
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:  # the path does not exist or cannot be opened
        return
    try:
        if not stat.S_ISDIR(os.fstat(fd).st_mode):
            access &= _ON_A_FILE
        if access:
            # struct landlock_path_beneath_attr, packed.
            _checked(_ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", access, fd), 0)
    finally:
        os.close(fd)


def _checked(number: int, *arguments: object) -> int:
    result = _system_call(number, *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), "Landlock")
    return result


def _system_call(number: int, *arguments: object) -> int:
    function = ctypes.CDLL(None, use_errno=True).syscall
    function.restype = ctypes.c_long
    result: int = function(ctypes.c_long(number), *arguments)
    return result
