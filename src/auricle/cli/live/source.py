"""Sources of live audio: a recording played in real time, or a microphone."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Protocol

import anyio
import numpy as np

from auricle.client import LiveClient
from auricle.values.errors import AuricleError, RequestError, SetupError
from auricle.values.types import SAMPLE_RATE_HZ, Pcm16

STEP_SAMPLES = SAMPLE_RATE_HZ // 20
"""Step in which a recording is played, 50 ms."""
BLOCK_S = 0.02
"""Length of a microphone block, in seconds."""
MAX_BLOCKS = 500
"""Maximum blocks buffered while the event loop is blocked: 10 s."""
MAX_AUDIO_SAMPLES = 24 * 3600 * SAMPLE_RATE_HZ


class AudioSource(Protocol):
    """Sends audio to a client until its end or cancellation."""

    async def play(self, client: LiveClient) -> None:
        """Send all audio."""
        ...

    def close(self) -> None:
        """Close the file or device; idempotent."""
        ...


class FileSource:
    """A recording, played in real time or as fast as the server accepts it.

    Args:
        path: The file.
        is_fast: Whether to play without delays.

    Raises:
        SetupError: PyAV is missing.
        RequestError: The file can't be read.
        AudioError: The file can't be decoded.
    """

    def __init__(self, path: Path, *, is_fast: bool) -> None:
        try:
            from auricle.workers.kinds.decode.container import ContainerReader
            from auricle.workers.kinds.decode.input_file import InputFile
        except ModuleNotFoundError as exc:
            raise SetupError(
                "Playing a recording requires PyAV. Run: pip install 'av>=18.1,<19'."
            ) from exc

        try:
            self._reader = ContainerReader(InputFile(str(path)), MAX_AUDIO_SAMPLES)
        except OSError as exc:
            raise RequestError(f"{path} can't be read: {exc.strerror or exc}") from exc
        self._is_fast = is_fast

    async def play(self, client: LiveClient) -> None:
        """Send the recording."""
        began_at, sent_samples = anyio.current_time(), 0
        async for step in self._steps():
            await client.send(step)
            sent_samples += step.size
            if not self._is_fast:
                await anyio.sleep_until(began_at + sent_samples / SAMPLE_RATE_HZ)

    def close(self) -> None:
        """Close the file."""
        self._reader.close()

    async def _steps(self) -> AsyncIterator[Pcm16]:
        try:
            while (pcm := await anyio.to_thread.run_sync(self._reader.read)) is not None:
                for at in range(0, pcm.size, STEP_SAMPLES):
                    yield pcm[at : at + STEP_SAMPLES]
        finally:
            self._reader.close()


class MicrophoneSource:
    """The system's microphone, through PortAudio.

    Raises:
        SetupError: There is no microphone, or sounddevice or PortAudio is missing.
    """

    def __init__(self) -> None:
        try:
            import sounddevice

            from auricle.audio.resample import Resampler
        except (ImportError, OSError) as exc:  # OSError: PortAudio itself is missing
            raise SetupError(
                "--mic requires sounddevice, soxr and PortAudio. Run: pip install "
                "'sounddevice>=0.5' 'soxr>=1.0' (and on Debian: apt install libportaudio2)."
            ) from exc
        self._sounddevice = sounddevice
        self._rate_hz = self._usable_rate_hz()
        self._resampler = Resampler(self._rate_hz)

    async def play(self, client: LiveClient) -> None:
        """Send audio until cancelled.

        Raises:
            SetupError: The microphone can't be opened, or was disconnected.
        """
        loop, disconnected = asyncio.get_running_loop(), anyio.Event()
        blocks: deque[Pcm16] = deque(maxlen=MAX_BLOCKS)  # drops the oldest
        missed = skipped = 0  # dropped samples: counted by PortAudio's thread, and by ours

        def push_blocks() -> None:
            nonlocal skipped
            with contextlib.suppress(AuricleError):  # the client's reader receives it
                if lost := missed - skipped:
                    skipped += lost
                    client.skip(lost * SAMPLE_RATE_HZ // self._rate_hz)
                for _ in range(len(blocks)):
                    client.push(self._resampler.receive(blocks.popleft()))
                if blocks:
                    loop.call_soon(push_blocks)

        def on_block(block: Any, frames: int, time: Any, status: Any) -> None:
            """Copy a block in PortAudio's thread, which reuses its memory."""
            nonlocal missed
            if len(blocks) == MAX_BLOCKS:
                missed += frames
            blocks.append(np.array(block[:, 0], np.int16))
            if len(blocks) == 1:  # else `push_blocks` is already scheduled
                with contextlib.suppress(RuntimeError):  # the loop is closed
                    loop.call_soon_threadsafe(push_blocks)

        def on_end() -> None:
            with contextlib.suppress(RuntimeError):  # as above
                loop.call_soon_threadsafe(disconnected.set)

        try:
            with self._open_stream(on_block, on_end):
                await disconnected.wait()
        finally:
            push_blocks()  # the last blocks; the stream is closed
        raise SetupError("The microphone was disconnected.")

    def close(self) -> None:
        """Do nothing: the microphone is open only in :meth:`play`."""

    @contextlib.contextmanager
    def _open_stream(self, on_block: Any, on_end: Any) -> Iterator[None]:
        try:
            stream = self._sounddevice.InputStream(
                samplerate=self._rate_hz,
                blocksize=int(self._rate_hz * BLOCK_S),
                channels=1,
                dtype="int16",
                callback=on_block,
                finished_callback=on_end,
            )
        except self._sounddevice.PortAudioError as exc:
            raise _no_microphone() from exc
        with stream:
            yield

    def _usable_rate_hz(self) -> int:
        """Return 16 kHz if the microphone supports it, else its default sample rate."""
        errors = (self._sounddevice.PortAudioError, ValueError)
        try:
            self._sounddevice.check_input_settings(
                samplerate=SAMPLE_RATE_HZ, channels=1, dtype="int16"
            )
        except errors:
            try:
                device = self._sounddevice.query_devices(kind="input")
            except errors as exc:
                raise _no_microphone() from exc
            return int(device["default_samplerate"])
        return SAMPLE_RATE_HZ


def _no_microphone() -> SetupError:
    return SetupError("No microphone can be opened; check the system's input devices.")
