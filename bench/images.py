"""The container images: size, time and processor time from start to ready, memory.

    scripts/build-images cpu cuda cluster && python -m bench.images [--out docs/benchmarks/images]

Sizes are those of all layers, unpacked, as ``docker images`` prints them. Each server has one
worker that recognises, with Whisper base. The first start of ``cuda`` joins the bundled model in
the cache; the second one finds it there. The other images contain it ready for use. Memory is the
proportional set size of all processes: after the start, and after a clip was transcribed over HTTP
and live. The peak is the largest resident set of a process until the start is done: a worker's.
"""

import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.lib.report import command_line, machine, write_json
from tests.images.client import KEY, live_transcript, transcript
from tests.support.podman import IMAGES, Container, container, exists, podman

MAX_CPU_MB = 600
SETTINGS = {"AURICLE_API_KEYS": f"anna:{KEY}", "AURICLE_WORKERS": 1, "AURICLE_DEVICE": "cpu"}


def size_mb(target: str) -> int:
    """Return the size of an image with its base, unpacked."""
    return round(int(podman("image", "inspect", "--format={{.Size}}", IMAGES[target])) / 1e6)


def peak_mb(running: Container) -> float:
    """Return the largest peak of a container's processes so far."""
    statuses = [Path(f"/proc/{each.pid}/status").read_text() for each in running.processes()]
    peaks_kib = [int(kib) for text in statuses for kib in re.findall(r"VmHWM:\s+(\d+)", text)]
    return max(peaks_kib) * 1024 / 1e6


def used_cpu_s(running: Container) -> float:
    """Return the processor time of a container's processes, among them those that have ended."""
    used = [process.cpu_times() for process in running.processes()]
    ended = used[0].children_user + used[0].children_system
    return ended + sum(each.user + each.system for each in used)


def served(target: str) -> dict[str, Any]:
    """Start a server twice with the same cache, and return times and memory."""
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        volumes = {"/var/cache/auricle": Path(folder) / "cache"}
        with container(target, environ=SETTINGS, volumes=volumes) as first:
            first_s, first_cpu_s = first.wait_ready(), used_cpu_s(first)
            stopped = first.stop()
        with container(target, environ=SETTINGS, volumes=volumes) as second:
            second_s, second_cpu_s = second.wait_ready(), used_cpu_s(second)
            ready_mb, start_peak_mb = second.pss_mb(), peak_mb(second)
            transcript(second.url)
            live_transcript(second.url)
            used_mb = second.pss_mb()
    return {
        "start_to_ready_s": {"first": round(first_s, 1), "second": round(second_s, 1)},
        "start_to_ready_cpu_s": {"first": round(first_cpu_s, 1), "second": round(second_cpu_s, 1)},
        "memory_mb": {"ready": round(ready_mb), "used": round(used_mb)},
        "start_peak_of_a_worker_mb": round(start_peak_mb),
        "exit_status_of_sigterm": stopped,
    }


def main() -> None:
    """Measure the images that have been built."""
    arguments = command_line(__doc__, "images").parse_args()
    base = podman("image", "inspect", "--format={{.Size}}", "localhost/auricle-python:trixie")
    result: dict[str, Any] = {"machine": machine(), "base_mb": round(int(base) / 1e6), "images": {}}
    for target in ("cpu", "cuda", "cluster"):
        if exists(target):
            figures = {"size_mb": size_mb(target), **served(target)}
            result["images"][target] = figures
            print(target, figures)
    result["met"] = result["images"]["cpu"]["size_mb"] <= MAX_CPU_MB
    write_json(arguments.out.with_suffix(".json"), result)


if __name__ == "__main__":
    main()
