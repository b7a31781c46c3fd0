"""WhisperLive (https://github.com/collabora/WhisperLive, MIT) to compare with: research.peers.

It is installed into a separate environment, outside the repository: the release of
:data:`REQUIREMENT` with the packages that it asks for, less those of its microphone client (PyAudio
needs a compiler) and of backends that aren't used here (OpenVINO, CUDA, TensorRT). ``pip`` finds
PyTorch; its build without CUDA is enough.

It runs as its own ``run_server.py`` would start it for this machine: backend ``faster_whisper``
with a custom model directory, hence one model for all clients; int8, as it chooses on a CPU;
``max_clients`` raised to the number of streams. Two kindnesses: OMP_NUM_THREADS is the number of
cores instead of its default of 1, and its model is loaded by a client that comes before the run.
``batch`` is its ``--batch_inference`` with its defaults. Its voice detector on this backend is
the Silero model inside faster-whisper: nothing is downloaded.

The client sends what its own client sends: float32 in pieces of 4096 samples, language named,
``use_vad``. A refusal (``WAIT``) is answered by trying again for a while, as its admission control
wants. A ``completed`` segment counts as final, the last one as a partial. END_OF_AUDIO is not sent
before the patience is over, since it drops what isn't transcribed yet.
"""

import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from websockets.asyncio.client import ClientConnection, connect
from websockets.sync.client import connect as connect_now

from auricle.values.types import Pcm16
from bench.live.play import Caption, Running
from bench.live.speech import CACHE

REQUIREMENT = "whisper-live==0.10.0"
LEFT_OUT = ("pyaudio", "openvino", "optimum", "nvidia", "torchaudio")
"""Beginnings of the names of packages that this use of it doesn't import."""
CHUNK_SAMPLES = 4096
READY_LIMIT_S = 120.0
STOP_LIMIT_S = 10.0
ADMISSION_LIMIT_S = 20.0
RETRY_S = 0.5

_LIST = """
import importlib.metadata as m
from packaging.requirements import Requirement as R
for text in m.requires('whisper-live'):
    r = R(text)
    if r.marker is None or r.marker.evaluate():
        print(f'{r.name}{r.specifier}')
"""
_SERVE = """
import sys
from whisper_live.server import TranscriptionServer
model, port, clients, batch = sys.argv[1:]
TranscriptionServer().run(
    '127.0.0.1', int(port), backend='faster_whisper', faster_whisper_custom_model_path=model,
    single_model=True, max_clients=int(clients), batch_enabled=batch == 'batch',
)
"""


def install(home: Path) -> Path:
    """Return the environment's Python, after making it if it isn't there.

    Args:
        home: Where it is or will be.
    """

    def packages(python: Path) -> list[str]:
        listed = subprocess.run([python, "-c", _LIST], check=True, capture_output=True, text=True)
        return [line for line in listed.stdout.split() if not line.lower().startswith(LEFT_OUT)]

    return environment(home, REQUIREMENT, packages)


def environment(home: Path, requirement: str, packages: Callable[[Path], Sequence[str]]) -> Path:
    """Return the Python of a separate environment, after making it if it isn't there.

    Args:
        home: Where it is or will be.
        requirement: What is installed without the packages that it asks for.
        packages: Called with the Python; returns those to install besides.
    """
    python = home / "bin" / "python"
    done = home / "auricle-bench-complete"
    if done.is_file():
        return python
    print(f"Installing {requirement} into {home}; this takes some minutes.", flush=True)
    subprocess.run([sys.executable, "-m", "venv", home], check=True)
    pip = [str(python), "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", requirement, "packaging"], check=True)
    subprocess.run([*pip, *packages(python)], check=True)
    done.touch()
    return python


class WhisperLive:
    """A client of WhisperLive, and how to run it.

    Args:
        model: Directory of a CTranslate2 model.
        home: Its environment.
        is_batch: Whether clients share batches.
    """

    step_samples = CHUNK_SAMPLES

    def __init__(self, model: Path, home: Path = CACHE / "whisper-live", *, is_batch: bool) -> None:
        self.name = "whisper-live-batch" if is_batch else "whisper-live"
        self._model = model
        self._python = install(home)
        self._is_batch = is_batch
        print(f"{self.name}: {REQUIREMENT}", flush=True)

    @contextmanager
    def running(self, streams: int) -> Iterator[Running]:
        """Start the server, and load its model by a first client."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        mode = "batch" if self._is_batch else "single"
        with tempfile.TemporaryFile() as log:
            process = subprocess.Popen(
                [self._python, "-c", _SERVE, self._model, str(port), str(streams + 1), mode],
                env=os.environ | {"OMP_NUM_THREADS": str(os.cpu_count())},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            url = f"ws://127.0.0.1:{port}"
            try:
                self._load(url, process)
                yield Running(url, psutil.Process(process.pid), dict)
            finally:
                process.kill()
                process.wait(STOP_LIMIT_S)

    def _load(self, url: str, process: "subprocess.Popen[bytes]") -> None:
        deadline = time.monotonic() + READY_LIMIT_S
        while True:
            try:
                with connect_now(url, open_timeout=READY_LIMIT_S) as client:
                    client.send(_hello())
                    client.recv(READY_LIMIT_S)
                    client.send(b"END_OF_AUDIO")
                    return
            except OSError as error:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"{self.name} does not start: {error}") from error
                time.sleep(RETRY_S)

    def messages(self, pcm: Pcm16) -> list[bytes]:
        """Return float32 samples, in pieces."""
        samples = pcm.astype(np.float32) / 32768
        return [
            samples[at : at + CHUNK_SAMPLES].tobytes()
            for at in range(0, samples.size, CHUNK_SAMPLES)
        ]

    async def open(self, url: str) -> ClientConnection | None:
        """Open a stream; a refused one tries again for a while."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + ADMISSION_LIMIT_S
        while loop.time() < deadline:
            connection = await connect(url, compression=None, ping_interval=None, max_size=None)
            await connection.send(_hello())
            answer = json.loads(await asyncio.wait_for(connection.recv(), ADMISSION_LIMIT_S))
            if answer.get("message") == "SERVER_READY":
                return connection
            await connection.close()
            await asyncio.sleep(RETRY_S)
        return None

    def end_message(self) -> str | bytes | None:
        """Return nothing: it would end the stream at once."""
        return None

    def is_last(self, message: str) -> bool:
        """Whether it closes: only for lack of time."""
        return '"DISCONNECT"' in message

    def captions(self, received: Sequence[tuple[float, str]]) -> list[Caption]:
        """Return segments; each completed one is sent again and again, and counts once."""
        out: list[Caption] = []
        known: set[tuple[str, str, str]] = set()
        for at_s, message in received:
            for segment in json.loads(message).get("segments", ()):
                key = segment["start"], segment["end"], segment["text"]
                is_final = bool(segment["completed"])
                if is_final and key in known:
                    continue
                if is_final:
                    known.add(key)
                span = float(segment["start"]), float(segment["end"])
                out.append(Caption(at_s, is_final, segment["text"], *span))
        return out

    def packets(self, received: Sequence[tuple[float, str]]) -> dict[str, int] | None:
        """Return nothing: it has no packets."""
        return None


def _hello() -> str:
    """Return the first message of its client, with that client's defaults."""
    options: dict[str, Any] = {
        "uid": str(uuid.uuid4()),
        "language": "en",
        "task": "transcribe",
        "model": "base",
        "use_vad": True,
        "send_last_n_segments": 10,
        "no_speech_thresh": 0.45,
        "clip_audio": False,
        "same_output_threshold": 10,
    }
    return json.dumps(options)
