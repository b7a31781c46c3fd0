"""Auricle, WhisperLive and WhisperLiveKit with the same live streams on the same machine.

    python -m research.peers --model DIR --corpus DIR --streams 1,2,4,8 [--seconds 30]
        [--server auricle whisper-live whisper-live-kit] [--out docs/benchmarks/peers]

For each number of streams all servers are measured one after the other, each newly started, so that
a busy machine is busy for all of them. :mod:`bench.live` describes the streams and the figures.

The others are installed into separate environments in ``~/.cache/auricle-bench``, outside the
repository, at the first run; PyTorch's build without CUDA is enough. They may need gigabytes.
"""

from functools import partial

from bench.live import __main__ as live
from research.whisper_live import WhisperLive
from research.whisper_live_kit import WhisperLiveKit


def main() -> None:
    live.main(
        {
            "whisper-live": partial(WhisperLive, is_batch=False),
            "whisper-live-batch": partial(WhisperLive, is_batch=True),
            "whisper-live-kit": WhisperLiveKit,
        },
    )


if __name__ == "__main__":
    main()
