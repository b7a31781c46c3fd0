"""A whole live session: ``[format][options][script]``; messages, commands, answers, lost lines.

Speech is detected by loudness here: no random sound is speech to the real detector,
and then nothing behind it would ever be reached.
"""

from collections import deque
from collections.abc import Callable, Iterator
from math import inf
from struct import pack as packed

import numpy as np

from auricle.audio import gate
from auricle.audio.opus import find_libopus
from auricle.audio.vad import WINDOW_SAMPLES, Probabilities
from auricle.config.sections.live import LiveSettings
from auricle.engines.whisper.spec import SPEC
from auricle.protocol.framing import pack
from auricle.session.live import LiveSession
from auricle.session.output import Cancel, Submit
from auricle.values.commands import (
    Ack,
    Configure,
    Discard,
    Finalize,
    Flush,
    Keepalive,
    SessionCommand,
    Stop,
    StreamParameters,
    UpdateConfig,
)
from auricle.values.errors import (
    AudioError,
    AuricleError,
    BadRequest,
    LocalProtocolError,
    Overloaded,
    PoisonJob,
    RemoteProtocolError,
    UnsupportedFormat,
    WorkerError,
)
from auricle.values.events import (
    AudioProgress,
    Closed,
    Discarded,
    Final,
    Ready,
    SpeechEnded,
    SpeechStarted,
    Wire,
)
from auricle.values.types import (
    ANONYMOUS,
    SAMPLE_RATE_HZ,
    Job,
    JobId,
    Pcm16,
    Segment,
    Transcript,
    Word,
)
from fuzz.grammars import join_steps, split_steps
from fuzz.material import PACKETS
from fuzz.mutation import Grammar
from fuzz.target import Target
from tests.support.containers import ogg_stream
from tests.support.models import models_of

MODULES = ("auricle.session",)
_MESSAGE, _SOUND, _COMMANDS, _WORLD = range(4)
_MAX_STEPS = 10
_MAX_CHOICES = 8
_MAX_SOUNDS = 12
_MAX_WAITS = 2000
_LOUD = 500
_MAX_JOB_SAMPLES = 30 * SAMPLE_RATE_HZ
_FORMATS = (Wire.PCM16, Wire.OPUS, Wire.OPUS_MESSAGE, Wire.OGG, Wire.WEBM)
_LIBRARY = find_libopus()
_SETTINGS = LiveSettings()
_NOISE = np.random.default_rng(1).integers(-8000, 8000, SAMPLE_RATE_HZ).astype(np.int16)
_COMMANDS_OF_BYTES: tuple[SessionCommand, ...] = (
    Finalize(),
    Flush(),
    Discard(),
    Keepalive(),
    Ack(1),
    Ack(2**53),
    Configure(endpoint_ms=200),
    Configure(format=Wire.OPUS),
    Configure(format=Wire.PCM16, sample_rate=8000),
    Configure(format=Wire.OGG),
    Configure(language="de"),
    Configure(language="xx"),
    UpdateConfig(hotwords=("a",), prompt="b"),
    Stop(),
)
_SPEECH, _SILENCE = np.float32(0.9), np.float32(0.1)


class _Loudness:
    """Stands for Silero: a loud window is speech."""

    def reset(self) -> None:
        """Remember nothing, as always."""

    def probabilities(self, pcm: Pcm16) -> Probabilities:
        """Return the probability for each window."""
        loudness = np.abs(pcm.reshape(-1, WINDOW_SAMPLES)[:, ::64]).max(axis=1)
        return np.where(loudness > _LOUD, _SPEECH, _SILENCE)


class _World:
    """A session, those who speak with it, and those who recognise."""

    def __init__(self, parameters: StreamParameters) -> None:
        self.now = 100.0
        self._parameters = parameters
        self._format = parameters.format
        self._session = LiveSession(
            parameters,
            _SETTINGS,
            _LIBRARY,
            id="s",
            secret="x",
            client=ANONYMOUS,
            reservations={},
            now=self.now,
            models=models_of(SPEC),
        )
        self._jobs: deque[Job] = deque()
        self._seq = 0
        self._position = 0
        self._finals = self._utterance = 0
        self._speaking: set[int | None] = set()
        self._closed = self._sounds = 0
        self._safe = self._received = parameters.start_sample
        self._session.attach(self.now)
        self._drain()

    def play(self, script: bytes) -> None:
        """Play a script, and then stop: the session has to come to its end."""
        for step in split_steps(script)[:_MAX_STEPS]:
            self._play(step[0] % 4, step[1:])
            self.now += 0.02
        self._reconnect(0)
        self._command(Stop())
        self._answer_until(lambda: self._session.is_closed)
        assert self._session.is_closed, "it never ends"
        assert self._closed, "the end is not reported"
        assert not self._session.channels.has_pending_finals, "a final is missing"

    def _play(self, kind: int, payload: bytes) -> None:
        match kind:
            case 0:
                self._send(payload)
            case 1:
                for choice in payload[: _MAX_SOUNDS - self._sounds]:
                    self._sounds += 1
                    self._send(self._sound(choice))
            case 2:
                for choice in payload[:_MAX_CHOICES]:
                    self._command(_COMMANDS_OF_BYTES[choice % len(_COMMANDS_OF_BYTES)])
            case _:
                for choice in payload[:_MAX_CHOICES]:
                    self._let_happen(choice)

    def _let_happen(self, choice: int) -> None:
        match choice % 8:
            case 0 | 1 | 2 | 3:
                self._answer(choice // 8)
            case 4:
                self.now += choice / 32
            case 5:
                self._reconnect(choice // 8)
            case 6:
                self._session.set_load(choice / 256)
            case _:
                self._session.detach(self.now)
        self._poll()

    def _sound(self, choice: int) -> bytes:
        """Return some speech or silence in the format that is spoken."""
        is_loud, length = bool(choice & 1), choice >> 1
        if self._format is Wire.PCM16:
            samples = _NOISE[: length * 32] if is_loud else np.zeros(length * 32, np.int16)
            head = packed("<Q", self._position) if self._parameters.seq else b""
            self._position += samples.size // self._parameters.channels
            return head + samples[: samples.size // 2 * 2].tobytes()
        self._seq += 1 + (length == 127) * 900
        packet = PACKETS[length % len(PACKETS)]
        seq = self._seq if self._parameters.seq else None
        if self._format is Wire.OPUS_MESSAGE:
            return packet + (b"" if seq is None else packed("<I", seq))
        return pack(packet, seq) * (1 if seq is not None else 1 + length % 16)

    def _send(self, data: bytes) -> None:
        self._answer_until(lambda: self._session.wants_data)
        assert self._session.wants_data, "it never reads again"
        try:
            self._session.receive_data(data, now=self.now)
        except (RemoteProtocolError, AudioError, UnsupportedFormat):
            self._reconnect(0)
        self._drain()

    def _command(self, command: SessionCommand) -> None:
        if isinstance(command, Ack):
            self._acknowledge(command.result)
        try:
            self._session.receive_command(command, self.now)
        except BadRequest:
            pass
        except (RemoteProtocolError, AudioError, UnsupportedFormat):
            self._reconnect(0)
        self._drain()

    def _acknowledge(self, result: int) -> None:
        """Expect no final that is acknowledged, even one that was never sent to the client."""
        known = [final.id for final in self._session.journal.finals if final.id <= result]
        self._finals = max([self._finals, *known])

    def _reconnect(self, last_result: int) -> None:
        self._session.attach(self.now, min(last_result, self._finals))
        self._drain()

    def _poll(self) -> None:
        try:
            self._session.poll(self.now)
        except (RemoteProtocolError, AudioError, UnsupportedFormat):
            self._reconnect(0)
        self._drain()

    def _answer_until(self, condition: Callable[[], bool]) -> None:
        for _ in range(_MAX_WAITS):
            if condition():
                return
            if self._jobs:
                self._answer(1)
            if self._session.wake_at < inf:
                self.now = max(self.now, self._session.wake_at)
            else:
                self.now += 0.1
            self._poll()

    def _answer(self, choice: int) -> None:
        if not self._jobs:
            return
        job = self._jobs.popleft()
        self._session.job_done(job.id, _answer(job, choice), self.now)
        self._drain()

    def _drain(self) -> None:
        while (output := self._session.next_output()) is not None:
            match output:
                case Submit(Job() as job):
                    assert 0 < job.pcm.size <= _MAX_JOB_SAMPLES, "a job is too long"
                    self._jobs.append(job)
                case Cancel(job_id):
                    self._forget(job_id)
                case Final():
                    self._check_final(output)
                case SpeechStarted():
                    assert output.channel not in self._speaking, "an utterance starts in another"
                    self._speaking.add(output.channel)
                case SpeechEnded():
                    self._speaking.discard(output.channel)
                case Discarded():
                    self._speaking.clear()
                case Ready():
                    self._speaking.clear()
                    self._safe = output.safe_sample
                case AudioProgress():
                    assert output.safe_sample >= self._safe, "what was safe is not"
                    self._safe = output.safe_sample
                case Closed():
                    self._closed += 1
                case _:
                    pass
        assert self._session.received_sample >= self._received, "the clock goes back"
        self._received = self._session.received_sample

    def _check_final(self, final: Final) -> None:
        assert final.id <= self._finals + 1, "a final is left out"
        assert self._safe <= final.start_sample < final.end_sample, "a final of what was safe"
        self._finals = max(self._finals, final.id)

    def _forget(self, job_id: JobId) -> None:
        self._jobs = deque(job for job in self._jobs if job.id != job_id)


def _answer(job: Job, choice: int) -> Transcript | AuricleError:
    match choice % 8:
        case 5:
            return Overloaded("Full.", 1)
        case 6:
            return WorkerError("It died.")
        case 7:
            return PoisonJob("It dies.") if choice & 8 else AudioError("It is broken.")
        case _:
            text = ("", "One.", " One two", "四つ", "One three")[choice % 8]
            samples = job.pcm.size
            words = tuple(
                Word(0, samples, word, 0.5, (1,)) for word in (f" {part}" for part in text.split())
            )
            segments = (Segment(0, samples, text, words),) if text else ()
            language = "ja" if choice % 8 == 3 else "en"
            return Transcript(text, language, 0.9, samples, segments)


def run(data: bytes) -> None:
    """Live through a script."""
    if len(data) < 2:
        return
    options = data[1]
    parameters = StreamParameters(
        format=(format := _FORMATS[data[0] % len(_FORMATS)]),
        seq=bool(options & 1),
        channels=1 + (options >> 1 & 1),
        multichannel=format is Wire.PCM16 and data[0] >= 128,
        sample_rate=(16_000, 48_000)[options >> 2 & 1],
        partials=bool(options & 8),
        word_timestamps=bool(options & 16),
        endpoint_ms=(100, 500)[options >> 5 & 1],
        start_sample=(0, 50_000)[options >> 6 & 1],
        safe_sample=(0, 90_000)[options >> 7],
    )
    names = vars(gate)  # mock.patch() takes longer than a short script
    detector, names["SpeechDetector"] = names["SpeechDetector"], _Loudness
    try:
        _World(parameters).play(data[2:])
    except LocalProtocolError as error:
        raise AssertionError("a client can make us do what we must not") from error
    finally:
        names["SpeechDetector"] = detector


def seeds() -> Iterator[bytes]:
    """Give conversations in each format."""
    loud, quiet = bytes([_SOUND] + [255] * 4), bytes([_SOUND] + [254] * 4)
    answers, later = bytes([_WORLD, 8, 16, 8]), bytes([_WORLD, 132, 12, 8])
    commands = [bytes([_COMMANDS, code]) for code in range(len(_COMMANDS_OF_BYTES))]
    for options in (0x18, 0x19, 0x38, 0xC9):
        yield bytes([0, options]) + join_steps([loud, later, loud, quiet, answers, loud, answers])
    for options in (0x1A, 0x1B):
        yield bytes([130, options]) + join_steps([loud, later, loud, quiet, answers, loud, answers])
    for code in commands:
        yield bytes([0, 0x18]) + join_steps([loud, later, code, loud, quiet, answers])
    talk = [loud, loud, later, quiet, answers]
    for format in (1, 2):
        for options in (0x18, 0x19):
            yield bytes([format, options]) + join_steps(talk)
    ogg = ogg_stream(PACKETS[:2])
    yield bytes([3, 0x18]) + join_steps(
        [bytes([_MESSAGE]) + ogg[:150], bytes([_MESSAGE]) + ogg[150:]]
    )
    lost = bytes([_WORLD, 7, 5, 13])
    yield bytes([1, 0x19]) + join_steps([loud, lost, loud, bytes([_SOUND, 254, 255]), answers])
    yield bytes([1, 0x19]) + join_steps([loud, bytes([_MESSAGE, 0, 0]), loud, answers])
    failures = bytes([_WORLD, 40, 48, 56, 120, 132])
    yield bytes([0, 0x18]) + join_steps([loud, quiet, failures, failures, answers])


TARGET = Target(
    run,
    seeds,
    Grammar(
        split_steps,
        join_steps,
        spare=(
            bytes([_SOUND, 255, 255]),
            bytes([_SOUND, 254, 254]),
            bytes([_WORLD, 8, 8, 132]),
            bytes([_WORLD, 7, 5]),
            *(bytes([_COMMANDS, code]) for code in range(len(_COMMANDS_OF_BYTES))),
        ),
    ).mutate,
    max_bytes=300,
)
