"""Shell scripts apart from this system: mounts and process IDs, and programs of another processor.

The kernel hands programs of ARM64 to qemu-user (Debian: ``qemu-user``, or ``qemu-user-static``). It
is registered in a user namespace, so that nothing changes outside. Needs root and Linux 6.7.
"""

import shlex
import shutil

ARM64 = "arm64"
START_BUDGET_S = 3600
SETTINGS = {
    "AURICLE_ENGINE": "moonshine",
    "AURICLE_PARTIAL_MODEL": "none",
    "AURICLE_WORKERS": "1",
    "AURICLE_START_BUDGET_S": str(START_BUDGET_S),
    "OPENBLAS_CORETYPE": "ARMV8",
}
"""For a server that is emulated: floating point is a hundred times as slow as this processor's, so
there is one worker with the smallest model, Moonshine tiny. OPENBLAS_CORETYPE keeps OpenBLAS from
its code for SVE: on the processor that qemu emulates, its float64 matrix products have errors of up
to 1e70."""
PROGRAMS = ("qemu-aarch64-static", "qemu-aarch64")
# The first 20 bytes of an ELF file for AArch64, with any ABI, executable or shared.
_MAGIC = r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
_MASK = r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"
_BINFMT = "/proc/sys/fs/binfmt_misc"
_SEPARATED = ("unshare", "--mount", "--pid", "--fork", "--kill-child")
_AS_ROOT_OF_ITS_OWN = ("--user", "--map-users=all", "--map-groups=all", "--setuid=0", "--setgid=0")


def shell(script: str, architecture: str | None = None) -> list[str]:
    """Return the command that runs a script; an interrupt of its process group reaches all of it.

    Args:
        script: For ``sh``, as root.
        architecture: ``arm64``, to run programs of it; ``None`` for this machine's.

    Raises:
        SystemExit: qemu-user is not installed.
    """
    if architecture != ARM64:
        return [*_SEPARATED, "sh", "-c", script]
    # F: the kernel opens qemu now, so that it is also found in another root.
    rule = shlex.quote(f":auricle-arm64:M::{_MAGIC}:{_MASK}:{emulator()}:F")
    register = f"mount -t binfmt_misc none {_BINFMT} && printf %s {rule} >{_BINFMT}/register"
    return [*_SEPARATED, *_AS_ROOT_OF_ITS_OWN, "sh", "-c", f"{register} && {script}"]


def emulator() -> str:
    """Return the path of qemu for ARM64.

    Raises:
        SystemExit: It is not installed.
    """
    for program in PROGRAMS:
        if path := shutil.which(program):
            return path
    raise SystemExit("qemu for ARM64 is missing (Debian: apt-get install qemu-user)")
