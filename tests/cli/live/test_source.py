"""Sources of live audio: recordings and microphones."""

import sys
import wave
from pathlib import Path
from types import ModuleType
from typing import Any

import anyio
import numpy as np
import pytest

from auricle.cli.live.source import MAX_BLOCKS, STEP_SAMPLES, FileSource, MicrophoneSource
from auricle.client import LiveClient, StreamParameters, Wire
from auricle.values.errors import AudioError, RequestError, SetupError, UnsupportedFormat
from auricle.values.types import SAMPLE_RATE_HZ, Pcm16
from tests.support.clips import CLIPS
from tests.support.poll import poll_until

pytestmark = [pytest.mark.unit, pytest.mark.anyio]

SHORT = CLIPS["short.wav"]


class Ear(LiveClient):
    """A client that records audio instead of sending it."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:9", StreamParameters(format=Wire.PCM16))
        self.steps: list[Pcm16] = []
        self.skipped: list[int] = []

    async def send(self, pcm: Pcm16) -> None:
        self.steps.append(pcm)

    def push(self, pcm: Pcm16) -> None:
        self.steps.append(pcm)

    def skip(self, samples: int) -> None:
        self.skipped.append(samples)
        self.steps.append(np.zeros(samples, np.int16))

    @property
    def received(self) -> Pcm16:
        return np.concatenate([np.zeros(0, np.int16), *self.steps])


def recording(folder: Path, seconds: float) -> Path:
    with wave.open(str(folder / "a.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes(bytes(int(2 * seconds * SAMPLE_RATE_HZ)))
    return folder / "a.wav"


async def test_a_recording_is_sent_sample_by_sample() -> None:
    ear = Ear()
    await FileSource(SHORT.path, is_fast=True).play(ear)
    assert np.array_equal(ear.received, SHORT.pcm)
    assert max(step.size for step in ear.steps) == STEP_SAMPLES


@pytest.mark.parametrize("name", ["fellow.mp3", "fellow.m4a", "fellow.webm", "fellow.flac"])
async def test_any_container_will_do(name: str) -> None:
    ear = Ear()
    await FileSource(CLIPS[name].path, is_fast=True).play(ear)
    assert ear.received.size == pytest.approx(CLIPS[name].samples, abs=3000)
    assert np.abs(ear.received).max() > 3000


async def test_it_takes_as_long_as_the_speech(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    async def sleep_until(at_s: float) -> None:
        waits.append(at_s)

    monkeypatch.setattr(anyio, "current_time", lambda: 100.0)
    monkeypatch.setattr(anyio, "sleep_until", sleep_until)
    await FileSource(recording(tmp_path, 0.4), is_fast=False).play(Ear())
    assert waits == pytest.approx(
        [100 + step * STEP_SAMPLES / SAMPLE_RATE_HZ for step in range(1, 9)]
    )


async def test_a_file_that_is_not_a_recording_is_reported_before_anything_is_sent(
    tmp_path: Path,
) -> None:
    (tmp_path / "notes.wav").write_text("no recording at all")
    with pytest.raises(UnsupportedFormat):
        FileSource(tmp_path / "notes.wav", is_fast=True)
    with pytest.raises(RequestError, match=r"gone\.wav can't be read: No such file"):
        FileSource(tmp_path / "gone.wav", is_fast=True)
    (tmp_path / "empty.wav").touch()
    with pytest.raises(AudioError):
        FileSource(tmp_path / "empty.wav", is_fast=True)


class PortAudioError(Exception):
    pass


class FakeSoundDevice(ModuleType):
    """A fake ``sounddevice`` package with one microphone, fed by the test."""

    PortAudioError = PortAudioError

    def __init__(self, rate_hz: int = SAMPLE_RATE_HZ) -> None:
        super().__init__("sounddevice")
        self.rate_hz = rate_hz
        self.is_there = True
        self.is_taken = False
        self.opened: dict[str, Any] | None = None
        self.is_closed = False

    def check_input_settings(self, *, samplerate: int, **_: object) -> None:
        if not self.is_there or samplerate != self.rate_hz:
            raise PortAudioError("Invalid sample rate")

    def query_devices(self, *, kind: str) -> dict[str, float]:
        if not self.is_there:
            raise PortAudioError("No default input device")
        return {"default_samplerate": float(self.rate_hz)}

    def InputStream(self, **arguments: object) -> "FakeSoundDevice":  # its own name
        if self.is_taken:
            raise PortAudioError("Device unavailable")
        self.opened = arguments
        return self

    def __enter__(self) -> "FakeSoundDevice":
        return self

    def __exit__(self, *_: object) -> None:
        self.is_closed = True

    def speak(self, pcm: Pcm16) -> None:
        """Act like PortAudio's thread, which owns and reuses the block."""
        assert self.opened
        block = pcm.reshape(-1, 1).copy()
        self.opened["callback"](block, len(block), None, None)
        block[:] = 0


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> FakeSoundDevice:
    device = FakeSoundDevice()
    monkeypatch.setitem(sys.modules, "sounddevice", device)
    return device


async def test_microphone_audio_is_pushed(device: FakeSoundDevice) -> None:
    ear, said = Ear(), np.arange(960, dtype=np.int16)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(MicrophoneSource().play, ear)
        await poll_until(lambda: device.opened is not None)
        for at in range(0, said.size, 320):
            await anyio.to_thread.run_sync(device.speak, said[at : at + 320])
        await poll_until(lambda: ear.received.size == said.size)
        tasks.cancel_scope.cancel()
    assert np.array_equal(ear.received, said)
    assert device.is_closed
    assert device.opened is not None
    assert (device.opened["samplerate"], device.opened["blocksize"]) == (16_000, 320)


async def test_the_last_final_comes_before_the_end_and_nothing_after_it(
    device: FakeSoundDevice,
) -> None:
    ear = Ear()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(MicrophoneSource().play, ear)
        await poll_until(lambda: device.opened is not None)
        device.speak(np.ones(320, np.int16))
        tasks.cancel_scope.cancel()
        device.speak(np.ones(320, np.int16))
    steps = len(ear.steps)
    assert ear.received.size == 640
    await anyio.lowlevel.checkpoint()
    assert len(ear.steps) == steps


async def test_what_could_not_be_taken_in_time_is_skipped_so_that_times_stay_right(
    device: FakeSoundDevice,
) -> None:
    ear = Ear()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(MicrophoneSource().play, ear)
        await poll_until(lambda: device.opened is not None)
        for number in range(MAX_BLOCKS + 3):  # the event loop does nothing meanwhile
            device.speak(np.full(320, number, np.int16))
        await poll_until(lambda: len(ear.steps) == 1 + MAX_BLOCKS)
        tasks.cancel_scope.cancel()
    assert ear.skipped == [3 * 320]
    assert ear.received.size == (MAX_BLOCKS + 3) * 320
    assert ear.received[3 * 320] == 3


async def test_a_microphone_of_another_rate_is_resampled(device: FakeSoundDevice) -> None:
    device.rate_hz = 48_000
    ear = Ear()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(MicrophoneSource().play, ear)
        await poll_until(lambda: device.opened is not None)
        for _ in range(50):
            device.speak(np.full(960, 1000, np.int16))
        await poll_until(lambda: len(ear.steps) == 50)
        tasks.cancel_scope.cancel()
    assert 15_000 <= ear.received.size <= 16_000
    assert abs(int(ear.received[8000]) - 1000) <= 2


async def test_no_microphone_is_reported(device: FakeSoundDevice) -> None:
    device.is_there = False
    with pytest.raises(SetupError, match="No microphone"):
        MicrophoneSource()


async def test_a_microphone_that_is_taken_is_reported(device: FakeSoundDevice) -> None:
    source = MicrophoneSource()
    device.is_taken = True
    with pytest.raises(SetupError, match="No microphone"):
        await source.play(Ear())


async def test_a_microphone_that_is_pulled_out_ends_the_speech(device: FakeSoundDevice) -> None:
    async with anyio.create_task_group() as tasks:

        async def play() -> None:
            with pytest.raises(SetupError, match="The microphone was disconnected"):
                await MicrophoneSource().play(Ear())

        tasks.start_soon(play)
        await poll_until(lambda: device.opened is not None)
        assert device.opened
        device.opened["finished_callback"]()


async def test_without_the_package_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(SetupError, match=r"pip install 'sounddevice>="):
        MicrophoneSource()
