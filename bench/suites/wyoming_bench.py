"""The command ``wyoming-bench``, and how its report is read."""

import re
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.lib.audio import as_wav
from bench.lib.speech import Clip
from bench.suites.third_party import Json, environment

ENVIRONMENT = "client-wyoming"
EDITS = ("substituted", "inserted", "deleted", "words")


def run_bench(address: str, clips: Sequence[Clip], options: Sequence[str]) -> Json:
    """Return the command and the figures of ``wyoming-bench`` with a server.

    Args:
        address: Host and port of the server.
        clips: The clips.
        options: Of the command.
    """
    command = ["wyoming-bench", "stt", "SERVER", "--corpus", "CLIPS", "--rounds", "1", *options]
    command += ["--warmup", "1", "--config", '{"language": "en"}']
    with tempfile.TemporaryDirectory() as folder:
        for clip in clips:
            path = Path(folder) / clip.name
            path.with_suffix(".wav").write_bytes(as_wav(clip.pcm))
            path.with_suffix(".txt").write_text(clip.text)
        found = {"SERVER": address, "CLIPS": folder}
        executable = str(environment(ENVIRONMENT) / "bin" / "wyoming-bench")
        arguments = [found.get(word, word) for word in command[1:]]
        done = subprocess.run([executable, *arguments], check=True, capture_output=True, text=True)
    return {"command": " ".join(command), "modes": figures(done.stdout)}


def figures(report: str) -> Json:
    """Return the figures of a report by mode; times are in milliseconds.

    A report has, for each mode::

        [streaming] ok=22 fail=0
          Total (ms)  1  2  3  4  5      minimum, mean, median, 95th percentile, maximum
          Accuracy    WER=3.0%  CER=…
                      edits S=1 I=2 D=3  (ref words=4)
    """
    modes: Json = {}
    details = report.partition("Summary (lower")[0]
    for part in re.split(r"^(?=\[\w+\] ok=)", details, flags=re.MULTILINE)[1:]:
        mode, clips, failed = _found(r"\[(\w+)\] ok=(\d+) fail=(\d+)", part)
        wer, _, right = _found(r"Accuracy +WER=(\S+)%  CER=(\S+)%  SAR=(\S+)%", part)
        edits = _found(r"S=(\d+) I=(\d+) D=(\d+)  \(ref words=(\d+)\)", part)
        modes[mode] = {
            "clips": int(clips),
            "failed": int(failed),
            "wer_percent": float(wer),
            "whole_clips_right_percent": float(right),
            **dict(zip(EDITS, map(int, edits), strict=True)),
            "mean_total_ms": float(_found(r"Total \(ms\) +\S+ +(\S+)", part)[0]),
            "mean_clip_s": float(_found(r"mean=(\S+)s input", part)[0]),
        }
    return modes


def _found(pattern: str, text: str) -> tuple[str, ...]:
    found = re.search(pattern, text)
    assert found, text
    return found.groups()
