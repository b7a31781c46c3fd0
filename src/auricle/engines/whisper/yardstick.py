"""Time faster-whisper: ``python -m auricle.engines.whisper.yardstick MODEL ROUNDS``.

Reads samples (int16, 16 kHz mono, English) from stdin and prints the time of the fastest round in
seconds. One thread, int8, and faster-whisper's own defaults.
"""

import sys
import time

import numpy as np
from faster_whisper import WhisperModel

COMPUTE_TYPE = "int8"
LANGUAGE = "en"


def main(path: str, rounds: int) -> None:
    """Print the time."""
    model = WhisperModel(path, device="cpu", compute_type=COMPUTE_TYPE, cpu_threads=1)
    samples = np.frombuffer(sys.stdin.buffer.read(), "<i2").astype(np.float32) / 32768
    times_s = []
    for _ in range(rounds):
        started_s = time.perf_counter()
        segments, _ = model.transcribe(samples, language=LANGUAGE)
        list(segments)  # it works while they are read
        times_s.append(time.perf_counter() - started_s)
    print(min(times_s))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
