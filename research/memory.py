"""Resident memory of ASR workers under real work, against another version of the source.

    python -m research.memory --corpus DIR [--baseline SRC] [--out docs/benchmarks/memory]

A server with two workers and Whisper base transcribes a long file at beam 5 with word times, while
two clients speak and another posts utterances. Every 0.5 s the workers' memory is read: RSS, and
PSS, which counts a page that two processes share once. ``rest`` is ten seconds after the work.
"""

import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx2
import numpy as np
import psutil

from auricle.values.types import SAMPLE_RATE_HZ, Pcm16
from bench.lib.audio import as_wav
from bench.lib.report import ROOT, command_line, machine, write_json
from bench.lib.service import Server, running
from bench.lib.speech import READ, corpus

SAMPLE_S = 0.5
REST_S = 10.0
FILE_CLIPS, SPEECH_CLIPS = 12, 3
FORM = {"response_format": "verbose_json", "language": "en", "timestamp_granularities[]": "word"}
CHILD = "auricle.workers.kinds.asr.child"
SPEAKER = ROOT / "docs/examples/stream.py"


def worker_memory_mb(server: psutil.Process) -> dict[str, float]:
    """Return the memory of all ASR workers together."""
    total = {"rss_mb": 0.0, "pss_mb": 0.0, "peak_rss_mb": 0.0}
    for child in server.children(recursive=True):
        if CHILD not in child.cmdline():
            continue
        lines = Path(f"/proc/{child.pid}/smaps_rollup").read_text().splitlines()[1:]
        sizes = {line.split(":")[0]: int(line.split()[1]) * 1024 / 1e6 for line in lines}
        total["rss_mb"] += sizes["Rss"]
        total["pss_mb"] += sizes["Pss"]
        status = Path(f"/proc/{child.pid}/status").read_text()
        (peak,) = [line for line in status.splitlines() if line.startswith("VmHWM")]
        total["peak_rss_mb"] += int(peak.split()[1]) * 1024 / 1e6
    return total


def work(server: Server, folder: Path, file: Pcm16, speech: Pcm16) -> dict[str, Any]:
    """Transcribe, and return the memory of the workers meanwhile."""
    (folder / "speech.wav").write_bytes(as_wav(speech))
    samples: list[dict[str, float]] = []
    is_done = threading.Event()

    def watch() -> None:
        while not is_done.wait(SAMPLE_S):
            samples.append(worker_memory_mb(server.process))

    def post(pcm: Pcm16) -> str:
        answer = httpx2.post(
            f"{server.url}/v1/audio/transcriptions",
            data=FORM,
            files={"file": ("a.wav", as_wav(pcm))},
            timeout=600,
        )
        return str(answer.raise_for_status().json()["text"])

    speakers = [
        subprocess.Popen(
            [sys.executable, SPEAKER, folder / "speech.wav", server.url.replace("http", "ws")],
            stdout=subprocess.DEVNULL,
        )
        for _ in range(2)
    ]
    before_s = cpu_s(server.process)
    watcher = threading.Thread(target=watch)
    watcher.start()
    texts = [post(file), *(post(speech) for _ in range(2))]
    for speaker in speakers:
        speaker.wait(120)
    is_done.set()
    watcher.join()
    used_s = cpu_s(server.process) - before_s
    time.sleep(REST_S)
    return {
        "busy": summary(samples),
        "rest": {name: round(mb) for name, mb in worker_memory_mb(server.process).items()},
        "cpu_s": round(used_s, 1),
        "text": texts[0],
    }


def cpu_s(server: psutil.Process) -> float:
    """Return the CPU time of the server's workers."""
    times = [child.cpu_times() for child in server.children(recursive=True)]
    return sum(each.user + each.system for each in times)


def measure(source: Path, file: Pcm16, speech: Pcm16) -> dict[str, Any]:
    """Return the figures of the server in a folder of source code."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        path = {"PYTHONPATH": f"{source}:{ROOT}"}
        with running(folder / "log", path, workers=2, decode_workers=1) as server:
            ready = worker_memory_mb(server.process)
            figures = work(server, folder, file, speech)
    return {"ready": {name: round(mb) for name, mb in ready.items()}} | figures


def summary(samples: list[dict[str, float]]) -> dict[str, Any]:
    """Return mean, 95th percentile and maximum of the sums."""
    figures: dict[str, Any] = {"samples": len(samples)}
    for name in ("rss_mb", "pss_mb"):
        values = [sample[name] for sample in samples]
        figures[name] = {
            "mean": round(statistics.mean(values)),
            "p95": round(float(np.percentile(values, 95))),
            "max": round(max(values)),
        }
    return figures


def main() -> None:
    parser = command_line(__doc__, "memory")
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--baseline", type=Path, help="`src` of an earlier version")
    arguments = parser.parse_args()
    clips = [clip.pcm for clip in corpus(arguments.corpus) if clip.kind == READ]
    pause = np.zeros(SAMPLE_RATE_HZ, np.int16)
    file = np.concatenate([part for clip in clips[:FILE_CLIPS] for part in (clip, pause)])
    speech = np.concatenate([part for clip in clips[:SPEECH_CLIPS] for part in (clip, pause)])
    sources = {"now": ROOT / "src"}
    if arguments.baseline is not None:
        sources = {"before": arguments.baseline} | sources
    result: dict[str, Any] = {"machine": machine(), "file_s": round(file.size / SAMPLE_RATE_HZ)}
    for name, source in sources.items():
        result[name] = measure(source, file, speech)
        print(name, {key: value for key, value in result[name].items() if key != "text"})
    texts = [result[name].pop("text") for name in sources]
    result["same_text"] = len(set(texts)) == 1
    print("the same text:", result["same_text"])
    write_json(arguments.out, result)


if __name__ == "__main__":
    main()
