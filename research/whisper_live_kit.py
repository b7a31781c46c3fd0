"""WhisperLiveKit (https://github.com/QuentinFuxa/WhisperLiveKit, Apache-2.0) to compare with.

It is installed like WhisperLive, see :mod:`research.peers`: the release of :data:`REQUIREMENT` with
PyTorch's build without CUDA, which its voice detector imports, and without torchaudio, which this
use of it does not.

It runs as its README starts it, except for what needs a download: ``--backend faster-whisper`` with
a model directory, hence the policy ``localagreement`` (its default, SimulStreaming, needs OpenAI's
own weights), raw PCM instead of a container, and no warm-up file; a first client warms it up.
OMP_NUM_THREADS is the number of cores. Its voice detector is the Silero model in its package.

The client sends pieces of 0.1 s. What a line gains counts as a final at this moment, since its
committed text does not change; ``buffer_transcription`` is a partial. An empty message ends a
stream: it returns what is left.
"""

import asyncio
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from websockets.asyncio.client import ClientConnection, connect
from websockets.sync.client import connect as connect_now

from auricle.values.types import SAMPLE_RATE_HZ, Pcm16
from bench.lib.service import free_port
from bench.live.play import Caption, Running
from bench.live.speech import CACHE
from research.whisper_live import environment

REQUIREMENT = "whisperlivekit==0.2.26"
PACKAGES = (
    *("fastapi>=0.141.1", "librosa", "soundfile", "uvicorn", "websockets", "huggingface-hub>=0.25"),
    *("faster-whisper>=1.2.0", "torch>=2.0.0", "tqdm", "tiktoken", "python-multipart>=0.0.31"),
    "starlette>=1.3.1",
)
CHUNK_SAMPLES = SAMPLE_RATE_HZ // 10
READY_LIMIT_S = 120.0
RETRY_S = 0.5
BUFFER_S = 5.0
"""The buffer's end is not sent; it is after the last committed word, by less than this."""
SERVE = "from whisperlivekit.basic_server import main; main()"


class WhisperLiveKit:
    """A client of WhisperLiveKit, and how to run it.

    Args:
        model: Directory of a CTranslate2 model.
        home: Its environment.
    """

    name = "whisper-live-kit"
    step_samples = CHUNK_SAMPLES

    def __init__(self, model: Path, home: Path = CACHE / "whisper-live-kit") -> None:
        self._model = model
        self._python = environment(home, REQUIREMENT, lambda _: PACKAGES)
        print(f"{self.name}: {REQUIREMENT}", flush=True)

    @contextmanager
    def running(self, streams: int) -> Iterator[Running]:
        """Start the server, and warm it up with a first client."""
        del streams  # it admits any number
        port = free_port()
        options = ["--host", "127.0.0.1", "--port", str(port), "--backend", "faster-whisper"]
        options += ["--backend-policy", "localagreement", "--model_dir", str(self._model)]
        options += ["--lan", "en", "--pcm-input", "--warmup-file", ""]
        with tempfile.TemporaryFile() as log:
            process = subprocess.Popen(
                [self._python, "-c", SERVE, *options],
                env=os.environ | {"OMP_NUM_THREADS": str(os.cpu_count()), "HF_HUB_OFFLINE": "1"},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            url = f"ws://127.0.0.1:{port}/asr?language=en"
            try:
                self._warm_up(url, process)
                yield Running(url, psutil.Process(process.pid), dict)
            finally:
                process.kill()
                process.wait(10)

    def _warm_up(self, url: str, process: "subprocess.Popen[bytes]") -> None:
        deadline = time.monotonic() + READY_LIMIT_S
        while True:
            try:
                with connect_now(url, open_timeout=READY_LIMIT_S) as client:
                    for _ in range(10):
                        client.send(bytes(2 * CHUNK_SAMPLES))
                    client.send(b"")
                    while not self.is_last(str(client.recv(READY_LIMIT_S))):
                        pass
                    return
            except OSError as error:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"{self.name} does not start: {error}") from error
                time.sleep(RETRY_S)

    def messages(self, pcm: Pcm16) -> list[bytes]:
        """Return pieces of PCM16."""
        parts = range(0, pcm.size, CHUNK_SAMPLES)
        return [pcm[at : at + CHUNK_SAMPLES].astype("<i2").tobytes() for at in parts]

    async def open(self, url: str) -> ClientConnection | None:
        """Open a stream."""
        connection = await connect(url, compression=None, ping_interval=None, max_size=None)
        await asyncio.wait_for(connection.recv(), READY_LIMIT_S)  # its configuration
        return connection

    def end_message(self) -> str | bytes | None:
        """Return the message that ends a stream."""
        return b""

    def is_last(self, message: str) -> bool:
        """Whether everything was sent."""
        return '"ready_to_stop"' in message

    def captions(self, received: Sequence[tuple[float, str]]) -> list[Caption]:
        """Return what lines have gained, and the buffer after the last one."""
        out: list[Caption] = []
        known: dict[float, tuple[str, float]] = {}
        for at_s, message in received:
            event = json.loads(message)
            lines = [line for line in event.get("lines", ()) if line.get("text")]
            end_s = 0.0
            for line in lines:
                start_s, end_s = _seconds(line["start"]), _seconds(line["end"])
                before, before_s = known.get(start_s, ("", start_s))
                if line["text"] != before:
                    gained = line["text"][len(os.path.commonprefix([before, line["text"]])) :]
                    out.append(Caption(at_s, True, gained, before_s, end_s))
                    known[start_s] = line["text"], end_s
            if buffer := event.get("buffer_transcription"):
                out.append(Caption(at_s, False, buffer, end_s, end_s + BUFFER_S))
        return out

    def packets(self, received: Sequence[tuple[float, str]]) -> dict[str, int] | None:
        """Return nothing: it has no packets."""
        return None


def _seconds(time_text: Any) -> float:
    """Return a time of the form H:MM:SS.cc in seconds."""
    hours, minutes, seconds = str(time_text).split(":")
    return 3600 * int(hours) + 60 * int(minutes) + float(seconds)
