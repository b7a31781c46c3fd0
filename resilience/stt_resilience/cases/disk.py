"""The disk with the server's data is full."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stt_resilience.cases.base import Bench, NotApplicable, Outcome, disturb, outcome
from stt_resilience.cases.undisturbed import done, file_of
from stt_resilience.drivers.base import Lost, Refused

SIZE_MB = 64
FILL_BYTES = 1 << 20


async def disk_full(bench: Bench) -> Outcome:
    """Fill the file system of the server's data, then speak, or send a file; then free it."""
    server = bench.our_server()
    if not server.spec.data:
        raise NotApplicable("the server keeps no data on disk")
    if os.geteuid() != 0:
        raise NotApplicable("needs root, for a small file system")
    server.kill_all()
    server.clear_data()
    with _small(server.data):
        try:
            await server.start(keep_data=True)
            filler = _fill(server.data)
            if bench.files is None:
                return outcome(bench, await disturb(bench))
            full = await _answer(bench)
            _free(filler)
            lines = (f"while full: {full}", f"once freed: {await _answer(bench)}")
            return Outcome(lines, {"lines": lines})
        finally:
            server.kill_all()


async def _answer(bench: Bench) -> str:
    try:
        answer = await bench.file_driver().submit(file_of(bench))
        await done(bench, answer)
    except Refused as error:
        retry = error.retry_after_s
        return f"refused: {error}" + ("" if retry is None else f", retry after {retry:.0f} s")
    except (Lost, TimeoutError) as error:
        return f"no answer: {error}"
    return "transcribed"


@contextmanager
def _small(folder: Path) -> Iterator[None]:
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "tmpfs", str(folder)]
    made = subprocess.run(mount, capture_output=True, text=True, check=False)
    if made.returncode:
        raise NotApplicable(f"mount failed: {made.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=False)


def _free(filler: Path) -> None:
    filler.unlink()


def _fill(folder: Path) -> Path:
    """Write a file until the file system is full, and return it."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (FILL_BYTES, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    return filler
