"""seccomp: permanently block system calls in all threads of this process. Linux.

A filter is a small program that the kernel runs before each system call
(https://docs.kernel.org/userspace-api/seccomp_filter.html). This one blocks calls that a loaded
worker never needs but an attacker would use: the network, other programs and processes, memory
that outlives the process or is not counted, the names and permissions of files. All other calls
are allowed: an allowlist would break with new versions of the C library and of CUDA.

It is written out here because existing libraries need libseccomp, which not every system has, and
the Python one has had no release since 2021.
"""

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Sequence

_SET_MODE_FILTER, _ALL_THREADS = 1, 1  # linux/seccomp.h; the latter is SECCOMP_FILTER_FLAG_TSYNC
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
# Classic BPF, linux/filter.h: load a word, jump if equal, if greater or equal, if a bit is set.
_LOAD, _IF_EQUAL, _IF_AT_LEAST, _IF_SET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16  # struct seccomp_data
_X32_BIT = 0x40000000  # calls of the x32 ABI, which are numbered differently
_CLONE_THREAD = 0x00010000  # linux/sched.h
_AF_UNIX = 1

ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
"""``AUDIT_ARCH_*`` (linux/audit.h) and the column below."""

# arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h.
_FORBIDDEN: dict[str, tuple[int, int]] = {
    "socketpair": (53, 199),
    "io_uring_setup": (425, 425),  # it opens sockets and files without passing this filter
    "execve": (59, 221),
    "execveat": (322, 281),
    "tkill": (200, 130),
    "pidfd_send_signal": (424, 424),
    "pidfd_getfd": (438, 438),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "setpriority": (141, 140),
    "ioprio_set": (251, 30),
    "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119),
    "sched_setattr": (314, 274),
    "shmget": (29, 194),  # memory that outlives the process
    "semget": (64, 190),
    "msgget": (68, 186),
    "mq_open": (240, 180),
    "unshare": (272, 97),
    "setns": (308, 268),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "open_by_handle_at": (304, 265),
    "name_to_handle_at": (303, 264),
    "inotify_init1": (294, 26),  # they reveal the names of files that other processes create
    "inotify_add_watch": (254, 27),
    "fanotify_init": (300, 262),
    "fanotify_mark": (301, 263),
    "memfd_secret": (447, 447),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "fchown": (93, 55),
    "fchownat": (260, 54),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "utimensat": (280, 88),
}
_FORBIDDEN_ON_X86 = {
    **{"fork": 57, "vfork": 58, "chmod": 90, "chown": 92, "lchown": 94},
    **{"inotify_init": 253, "utime": 132, "utimes": 235, "futimesat": 261},
}
_OF_ITSELF_ONLY: dict[str, tuple[int, int]] = {
    "kill": (62, 129),
    "tgkill": (234, 131),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
}
_OF_ITSELF_OR_0: dict[str, tuple[int, int]] = {
    "prlimit64": (302, 261),
    "sched_setaffinity": (203, 122),
}
_MEMFD_CREATE = (319, 279)  # memory that no limit of the process counts
_MMAP = (9, 222)
_MAP_SHARED, _MAP_ANONYMOUS = 0x01, 0x20  # linux/mman.h
_PRCTL = (157, 167)
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE = 1, 4  # linux/prctl.h
_SOCKET = (41, 198)
_CLONE = (56, 220)
_CLONE3 = 435
_SECCOMP = (317, 277)


def number_of(name: str) -> int:
    """Return the number of a blocked system call on this machine."""
    column = ARCHITECTURES[platform.machine()][1]
    return (_FORBIDDEN | {"memfd_create": _MEMFD_CREATE})[name][column]


def forbid_calls(*, for_gpu: bool = False) -> None:
    """Block the calls in all threads.

    Args:
        for_gpu: Whether to allow local sockets and shared memory, which NVIDIA's driver uses.

    Raises:
        OSError: The kernel refuses, or the processor architecture is not supported.
    """
    machine = platform.machine()
    if machine not in ARCHITECTURES or ctypes.sizeof(ctypes.c_void_p) != 8:
        raise OSError(errno.ENOSYS, "unsupported processor architecture")
    column = ARCHITECTURES[machine][1]
    program = filter_program(machine, os.getpid(), for_gpu=for_gpu)
    code = ctypes.create_string_buffer(b"".join(program))
    head = struct.pack("HxxxxxxP", len(program), ctypes.addressof(code))  # struct sock_fprog
    call = ctypes.CDLL(None, use_errno=True).syscall
    call.restype = ctypes.c_long
    # A positive result is the ID of a thread that could not be synchronised.
    if call(ctypes.c_long(_SECCOMP[column]), _SET_MODE_FILTER, _ALL_THREADS, head):
        raise OSError(ctypes.get_errno(), "seccomp")


def filter_program(machine: str, pid: int, *, for_gpu: bool) -> list[bytes]:
    """Return the steps of the filter, each a ``struct sock_filter``.

    Args:
        machine: A key of ``ARCHITECTURES``.
        pid: The process that may send signals to itself.
        for_gpu: As for :func:`forbid_calls`.
    """
    architecture, column = ARCHITECTURES[machine]
    refuse = _step(_RETURN, _ERRNO | errno.EPERM)
    program = [
        _step(_LOAD, _ARCHITECTURE_AT),
        _step(_IF_EQUAL, architecture, 1, 0),
        refuse,
        _step(_LOAD, _NUMBER_AT),
    ]
    forbidden = [numbers[column] for numbers in _FORBIDDEN.values()]
    if machine == "x86_64":
        program += [_step(_IF_AT_LEAST, _X32_BIT, 0, 1), refuse]
        forbidden += _FORBIDDEN_ON_X86.values()
    for number in forbidden:
        program += [_step(_IF_EQUAL, number, 0, 1), refuse]
    for numbers in _OF_ITSELF_ONLY.values():
        program += _only_with(numbers[column], 0, [pid])
    for numbers in _OF_ITSELF_OR_0.values():
        program += _only_with(numbers[column], 0, [0, pid])
    program += _only_with(_SOCKET[column], 0, [_AF_UNIX] if for_gpu else [])
    program += _never_with(_PRCTL[column], 0, [_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE])
    if not for_gpu:
        program += [_step(_IF_EQUAL, _MEMFD_CREATE[column], 0, 1), refuse]
        # RLIMIT_DATA counts private memory only.
        program += [
            _step(_IF_EQUAL, _MMAP[column], 0, 5),
            _step(_LOAD, _ARGUMENTS_AT + 8 * 3),
            _step(_IF_SET, _MAP_ANONYMOUS, 0, 2),
            _step(_IF_SET, _MAP_SHARED, 0, 1),
            refuse,
            _step(_RETURN, _ALLOW),
        ]
    # A filter cannot read clone3's flags; without clone3 the C library starts threads with clone.
    program += [_step(_IF_EQUAL, _CLONE3, 0, 1), _step(_RETURN, _ERRNO | errno.ENOSYS)]
    program += [
        _step(_IF_EQUAL, _CLONE[column], 0, 4),
        _step(_LOAD, _ARGUMENTS_AT),
        _step(_IF_SET, _CLONE_THREAD, 0, 1),
        _step(_RETURN, _ALLOW),
        refuse,
    ]
    return [*program, _step(_RETURN, _ALLOW)]


def _only_with(number: int, argument: int, values: Sequence[int]) -> list[bytes]:
    """Allow a call only with one of these argument values (lower 32 bits)."""
    allowed = [
        step for value in values for step in (_step(_IF_EQUAL, value, 0, 1), _step(_RETURN, _ALLOW))
    ]
    block = [_step(_LOAD, _ARGUMENTS_AT + 8 * argument), *allowed]
    block.append(_step(_RETURN, _ERRNO | errno.EPERM))
    return [_step(_IF_EQUAL, number, 0, len(block)), *block]


def _never_with(number: int, argument: int, values: Sequence[int]) -> list[bytes]:
    """Block a call with one of these argument values (lower 32 bits)."""
    refused = [
        step
        for value in values
        for step in (_step(_IF_EQUAL, value, 0, 1), _step(_RETURN, _ERRNO | errno.EPERM))
    ]
    block = [_step(_LOAD, _ARGUMENTS_AT + 8 * argument), *refused, _step(_RETURN, _ALLOW)]
    return [_step(_IF_EQUAL, number, 0, len(block)), *block]


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)  # struct sock_filter
