"""The filter of each architecture, run step by step: it refuses the calls that it names.

The kernel of this machine runs the filter of one architecture only (``test_seccomp``). The numbers
of the calls are read from libseccomp, which Debian's apt depends on.
"""

import ctypes
import ctypes.util
import errno
import struct
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from auricle.workers.sandbox.seccomp import ARCHITECTURES, filter_program

PID = 4242
MAX_NUMBER = 600
ALLOWED, REFUSED = 0x7FFF0000, 0x00050000 | errno.EPERM
MISSING = 0x00050000 | errno.ENOSYS
ARGUMENTS = [(first, fourth) for first in (0, 1, 2, 4, PID, 0x10000) for fourth in (0, 0x21, 0x22)]
LIBRARY = ctypes.util.find_library("seccomp")

pytestmark = [
    pytest.mark.unit,
    pytest.mark.skipif(LIBRARY is None, reason="libseccomp is not installed"),
]


def library() -> Any:
    seccomp = ctypes.CDLL(LIBRARY)
    seccomp.seccomp_syscall_resolve_num_arch.restype = ctypes.c_void_p
    return seccomp


def calls(machine: str) -> dict[str, int]:
    """Return the numbers of all system calls of an architecture by name."""
    architecture = ctypes.c_uint32(ARCHITECTURES[machine][0])
    seccomp = library()
    libc = ctypes.CDLL(None)
    found = {}
    for number in range(MAX_NUMBER):
        if name := seccomp.seccomp_syscall_resolve_num_arch(architecture, number):
            found[ctypes.string_at(name).decode()] = number
            libc.free(ctypes.c_void_p(name))
    return found


def outcome(program: Sequence[bytes], architecture: int, number: int, *arguments: int) -> int:
    """Run a filter for one call, as the kernel does: classic BPF over ``struct seccomp_data``."""
    data = struct.pack("<iIQ6Q", number, architecture, 0, *[*arguments, 0, 0, 0, 0, 0, 0][:6])
    loaded, at = 0, 0
    compare: dict[int, Callable[[int, int], bool]] = {
        0x15: lambda a, b: a == b,
        0x35: lambda a, b: a >= b,
        0x45: lambda a, b: bool(a & b),
    }
    while True:
        code, if_true, if_false, value = struct.unpack("<HBBI", program[at])
        at += 1
        if code == 0x06:
            return int(value)
        if code == 0x20:
            (loaded,) = struct.unpack_from("<I", data, value)
        else:
            at += if_true if compare[code](loaded, value) else if_false


def outcomes(machine: str, *, for_gpu: bool) -> dict[str, list[int]]:
    """Return what each call meets, for some values of its first and fourth argument."""
    program = filter_program(machine, PID, for_gpu=for_gpu)
    architecture, _ = ARCHITECTURES[machine]
    return {
        name: [outcome(program, architecture, number, a, 0, 0, d) for a, d in ARGUMENTS]
        for name, number in calls(machine).items()
    }


@pytest.mark.parametrize("for_gpu", [False, True])
def test_a_call_meets_the_same_on_all_architectures(for_gpu: bool) -> None:
    x86, arm = (outcomes(machine, for_gpu=for_gpu) for machine in ("x86_64", "aarch64"))
    assert set(arm) - set(x86) == set()
    assert {name for name in arm if arm[name] != x86[name]} == set()
    assert len(arm) > 300


def test_calls_of_one_architecture_only_are_refused_if_the_others_have_their_effect() -> None:
    x86, arm = (outcomes(machine, for_gpu=False) for machine in ("x86_64", "aarch64"))
    refused = {name for name in set(x86) - set(arm) if set(x86[name]) == {REFUSED}}
    assert refused == {
        *("fork", "vfork", "chmod", "chown", "lchown", "inotify_init"),
        *("utime", "utimes", "futimesat"),
    }


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_the_calls_of_an_attack_are_refused(machine: str) -> None:
    met = outcomes(machine, for_gpu=False)
    always = {
        *("execve", "execveat", "ptrace", "process_vm_readv", "process_vm_writev", "socket"),
        *("socketpair", "bpf", "io_uring_setup", "setns", "unshare", "memfd_create", "keyctl"),
        *("shmget", "open_by_handle_at", "fchmodat", "fchownat", "setxattr", "userfaultfd"),
    }
    assert {name for name in always if set(met[name]) != {REFUSED}} == set()
    assert set(met["clone3"]) == {MISSING}
    assert {name for name, each in met.items() if set(each) == {REFUSED, ALLOWED}} == {
        *("clone", "mmap", "prctl", "kill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo"),
        *("prlimit64", "sched_setaffinity"),
    }


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_what_a_worker_needs_is_allowed(machine: str) -> None:
    met = outcomes(machine, for_gpu=False)
    needed = {"read", "write", "openat", "close", "futex", "munmap", "mprotect", "brk", "ppoll"}
    needed |= {"clock_nanosleep", "getrandom", "exit_group", "rt_sigaction", "rt_sigreturn"}
    assert {name for name in needed if set(met[name]) != {ALLOWED}} == set()


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_calls_of_another_architecture_are_refused(machine: str) -> None:
    program = filter_program(machine, PID, for_gpu=False)
    i386, arm = 0x40000003, 0x40000028
    for number in range(MAX_NUMBER):
        assert outcome(program, i386, number) == outcome(program, arm, number) == REFUSED
