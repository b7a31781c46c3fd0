"""Where live speech comes from: a recording, as if it were spoken now, or a microphone."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Protocol

import anyio
import numpy as np

from auricle.audio.resample import Resampler
from auricle.client import LiveClient
from auricle.errors import AuricleError, RequestError, SetupError
from auricle.types import SAMPLE_RATE_HZ, Pcm16

STEP_SAMPLES = SAMPLE_RATE_HZ // 20
"""A recording is played in steps of 50 ms."""
BLOCK_S = 0.02
"""A microphone gives so much at a time."""
MAX_BLOCKS = 500
"""So many blocks, 10 s, wait for a program that is held up."""
MAX_AUDIO_SAMPLES = 24 * 3600 * SAMPLE_RATE_HZ


class Source(Protocol):
    """Gives speech to a client until there is no more, or until it is cancelled."""

    async def play(self, client: LiveClient) -> None:
        """Send all there is."""
        ...

    def close(self) -> None:
        """Let go of the file or device; idempotent."""
        ...


class FileSource:
    """A recording, at the pace at which it was spoken, or as fast as the server takes it.

    Args:
        path: The file.
        is_fast: Don't wait.

    Raises:
        RequestError: It can't be read.
        AudioError: It can't be decoded.
    """

    def __init__(self, path: Path, *, is_fast: bool) -> None:
        from auricle.workers.decode.container import ContainerReader
        from auricle.workers.decode.input_file import InputFile

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
        SetupError: There is none, or the package that reads it is not there.
    """

    def __init__(self) -> None:
        try:
            import sounddevice
        except (ImportError, OSError) as exc:  # OSError: PortAudio itself is missing
            raise SetupError(
                "--mic needs sounddevice and PortAudio. Run: pip install 'sounddevice>=0.5' "
                "(and on Debian: apt install libportaudio2)."
            ) from exc
        self._sounddevice = sounddevice
        self._rate_hz = self._usable_rate_hz()
        self._resampler = Resampler(self._rate_hz)

    async def play(self, client: LiveClient) -> None:
        """Send what is said, until this is cancelled.

        Raises:
            SetupError: The microphone can't be opened, or is gone.
        """
        loop, gone = asyncio.get_running_loop(), anyio.Event()
        waiting: deque[Pcm16] = deque(maxlen=MAX_BLOCKS)  # the oldest give way
        missed = skipped = 0  # samples of those: written by PortAudio's thread, and by ours

        def take() -> None:
            nonlocal skipped
            with contextlib.suppress(AuricleError):  # who listens to the client is told of it
                if lost := missed - skipped:
                    skipped += lost
                    client.skip(lost * SAMPLE_RATE_HZ // self._rate_hz)
                for _ in range(len(waiting)):
                    client.push(self._resampler.receive(waiting.popleft()))
                if waiting:
                    loop.call_soon(take)

        def heard(block: Any, frames: int, time: Any, status: Any) -> None:
            """Take a block in PortAudio's own thread; its memory is used again."""
            nonlocal missed
            if len(waiting) == MAX_BLOCKS:
                missed += frames
            waiting.append(np.array(block[:, 0], np.int16))
            if len(waiting) == 1:  # else the loop knows already
                with contextlib.suppress(RuntimeError):  # it has ended
                    loop.call_soon_threadsafe(take)

        def ended() -> None:
            with contextlib.suppress(RuntimeError):  # as above
                loop.call_soon_threadsafe(gone.set)

        try:
            with self._opened(heard, ended):
                await gone.wait()
        finally:
            take()  # the last of it, and nothing comes after
        raise SetupError("The microphone is gone.")

    def close(self) -> None:
        """Do nothing: the microphone is open only while it plays."""

    @contextlib.contextmanager
    def _opened(self, heard: Any, ended: Any) -> Iterator[None]:
        try:
            stream = self._sounddevice.InputStream(
                samplerate=self._rate_hz,
                blocksize=int(self._rate_hz * BLOCK_S),
                channels=1,
                dtype="int16",
                callback=heard,
                finished_callback=ended,
            )
        except self._sounddevice.PortAudioError as exc:
            raise _no_microphone() from exc
        with stream:
            yield

    def _usable_rate_hz(self) -> int:
        """Return our own rate if the microphone has it, else its own."""
        errors = (self._sounddevice.PortAudioError, ValueError)
        try:
            self._sounddevice.check_input_settings(
                samplerate=SAMPLE_RATE_HZ, channels=1, dtype="int16"
            )
        except errors:
            try:
                found = self._sounddevice.query_devices(kind="input")
            except errors as exc:
                raise _no_microphone() from exc
            return int(found["default_samplerate"])
        return SAMPLE_RATE_HZ


def _no_microphone() -> SetupError:
    return SetupError("No microphone can be opened; does the system see one?")
