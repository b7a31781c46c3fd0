"""Process client messages in order and in steps: messages to audio, on the session's clock.

A few bytes may encode hours of audio, so a message is processed in steps of bounded length.
Commands wait for the audio that was received before them. Gaps are filled with silence; a long gap
is skipped when no utterance is open.

This is the session's clock: it counts samples, and nothing else advances it. Channels that are
transcribed apart arrive together, so that they have the same clock.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import msgspec
import numpy as np
import numpy.typing as npt

from auricle.audio.opus import LibOpus
from auricle.audio.vad import WINDOW_SAMPLES
from auricle.session.arrivals import ArrivalLog
from auricle.session.pace import Pace
from auricle.session.wire_formats.base import Audio, DecodedAudio, Lost, StreamCounts, WireFormat
from auricle.session.wire_formats.container import ContainerWire
from auricle.session.wire_formats.opus import OpusWire
from auricle.session.wire_formats.pcm import PcmWire
from auricle.values.commands import Configure, Discard, Finalize, Flush, Stop, StreamParameters
from auricle.values.errors import AuricleError, BadRequest, LocalProtocolError
from auricle.values.events import SwitchFormat, Warned, WarningCode, Wire
from auricle.values.types import NO_AUDIO, SAMPLE_RATE_HZ

MAX_INBOX_BYTES = 8 * 2**20
"""Several messages of maximum size; the caller stops reading long before this limit."""
ITEM_BYTES = 200
"""Fixed cost of a message or command, on top of its size."""
MAX_STEP_SAMPLES = SAMPLE_RATE_HZ
MERGED_SAMPLES, MERGED_PACKETS = SAMPLE_RATE_HZ * 3 // 10, 15
"""Audio that was received together is processed together, up to this length and number of packets:
five packets of 20 ms take a third of the time of five separate ones (``bench/work``)."""
SKIP_FROM_SAMPLES = 10 * SAMPLE_RATE_HZ
"""Longer silence in a gap is skipped instead of processed."""
RESENT_S = 55.0
"""Audio that a client may resend at live priority to a session that replaces an expired one: the
audio buffered during an outage of some seconds, and the audio before it for VAD warm-up."""

MAX_PACKET_CHANNELS = 2
"""Opus packets are mono or stereo (RFC 6716 §2.1.1)."""

OrderedCommand = Finalize | Configure | Stop | Flush | Discard


@dataclass(frozen=True, slots=True, eq=False)  # an ndarray has no useful ==
class IntakeEvent:
    """Some audio, a notice, or the next command.

    Attributes:
        pcm: The next samples, shape [samples], for all channels; [channels, samples] if channels
            are transcribed apart.
        skipped_samples: Length of a silence before later audio that no channel processes.
        notice: A message for the client, which follows the audio.
        command: The next command.
        steps: Number of packets or container slices that were processed.
    """

    pcm: npt.NDArray[np.int16] = field(default_factory=lambda: NO_AUDIO)
    skipped_samples: int = 0
    notice: Warned | SwitchFormat | None = None
    command: OrderedCommand | None = None
    steps: int = 1


class Intake:
    """Turns the messages of a client into audio.

    Args:
        parameters: The stream parameters from the client.
        libopus: The library that decodes packets.
        now: Monotonic time in seconds.
        is_open: Whether an utterance is open in any channel.
        is_resuming: Whether the session replaces one that is lost, so that audio is sent again.

    Raises:
        BadRequest: The format does not have these channels.
    """

    def __init__(
        self,
        parameters: StreamParameters,
        libopus: LibOpus,
        now: float,
        is_open: Callable[[], bool],
        *,
        is_resuming: bool = False,
    ) -> None:
        check_channels(parameters)
        self.counts = StreamCounts()
        self._parameters = parameters
        self._libopus = libopus
        self.clock_sample = parameters.start_sample
        """The position of the next sample to process."""
        self._is_open = is_open
        self._step_samples = MAX_STEP_SAMPLES // parameters.separate_channels
        self.arrivals = ArrivalLog(parameters.resume_sample)
        self.pace = Pace(now, RESENT_S if is_resuming or parameters.start_sample else 0.0)
        self._wire = self._make_wire()
        self._inbox: deque[bytes | OrderedCommand] = deque()
        self._inbox_bytes = 0
        self._held: DecodedAudio | AuricleError | None = None  # follows what was processed together
        self._silence_samples = 0
        self._silence_seq: int | None = None
        self._is_broken = self._is_over = False

    @property
    def received_sample(self) -> int:
        """The position of the next expected sample."""
        return self.clock_sample + self._silence_samples

    @property
    def received_seq(self) -> int | None:
        """The sequence number of the last accepted packet."""
        return self._wire.received_seq

    @property
    def is_resumable(self) -> bool:
        """Whether the client can resume after a lost connection."""
        return self._wire.is_resumable

    def put(self, item: bytes | OrderedCommand) -> None:
        """Queue a message or a command; :meth:`next_event` processes it.

        It is ignored after an error or after the end of the stream.

        Raises:
            LocalProtocolError: The inbox is full.
        """
        if self._is_broken or self._is_over:
            return
        self._inbox_bytes += _cost_bytes(item)
        if self._inbox_bytes > MAX_INBOX_BYTES:
            raise LocalProtocolError("session inbox is full; check wants_data before reading")
        self._inbox.append(item)

    def reconnect(self) -> None:
        """Prepare for a new connection; drop unprocessed data, which the client sends again."""
        self._drop_inbox()
        self._is_broken = False
        self._wire.reconnect()

    def next_event(self, now: float) -> IntakeEvent | None:
        """Process the next step; return ``None`` when there is nothing left.

        Raises:
            RemoteProtocolError: The data violates the wire format.
            AudioError: The container is invalid.
            UnsupportedFormat: The data is not in the declared format.
        """
        try:
            return self._next_event(now)
        except AuricleError:
            self._drop_inbox()
            self._is_broken = True
            raise

    def configure(self, command: Configure, now: float) -> npt.NDArray[np.int16]:
        """Change the format; return audio that the old format buffered.

        Raises:
            BadRequest: The new format does not have these channels.
        """
        before, self._parameters = _kind_of(self._parameters), self.configured(command)
        if _kind_of(self._parameters) == before:  # sequence numbers continue
            return NO_AUDIO
        rest = self.receive_rest(now)
        self._wire = self._make_wire()
        return rest

    def configured(self, command: Configure) -> StreamParameters:
        """Return the parameters after a command.

        Raises:
            BadRequest: The new format does not have these channels.
        """
        changes = {
            name: value
            for name in ("format", "sample_rate")
            if (value := getattr(command, name)) is not msgspec.UNSET
        }
        parameters = msgspec.structs.replace(self._parameters, **changes)
        check_channels(parameters)
        return parameters

    def receive_rest(self, now: float) -> npt.NDArray[np.int16]:
        """Return the audio that the wire format still buffers; the stream may continue."""
        rest = self._wire.finish()
        return self._noted(rest.pcm, None, now) if isinstance(rest, Audio) else NO_AUDIO

    def finish(self, now: float) -> npt.NDArray[np.int16]:
        """End the stream and return its last audio; drop data that was received after its end."""
        rest = self.receive_rest(now)
        self._is_over = True
        self._drop_inbox()
        # The last utterance may end in the silence that pads the last window.
        self.arrivals.note(self.clock_sample + -self.clock_sample % WINDOW_SAMPLES, now)
        return rest

    def _make_wire(self) -> WireFormat:
        match self._parameters.format:
            case Wire.OPUS | Wire.OPUS_MESSAGE:
                return OpusWire(self._libopus, self._parameters, self.counts)
            case Wire.PCM16:
                return PcmWire(self._parameters, self.clock_sample)
            case Wire.OGG | Wire.WEBM:
                return ContainerWire(self._libopus, self._parameters, self.counts)

    def _next_event(self, now: float) -> IntakeEvent | None:
        if self._silence_samples:
            return self._next_silence(now)
        item = self._next_decoded()
        match item:
            case None:
                return self._next_item()
            case Audio(pcm):
                parts = [item, *self._following(item)]
                if len(parts) > 1:
                    pcm = np.concatenate([part.pcm for part in parts], axis=-1)
                self.pace.receive(pcm.shape[-1], now)
                for part in parts:
                    self._noted(part.pcm, part.seq, now)
                return IntakeEvent(pcm, steps=len(parts))
            case Lost(samples, pcm, seq):
                self._silence_samples = samples - pcm.size
                self._silence_seq = seq
                self._noted(pcm, None if self._silence_samples else seq, now)
                gap_ms = round(samples * 1000 / SAMPLE_RATE_HZ)
                warning = Warned(
                    WarningCode.AUDIO_GAP, "Audio is missing; replaced by silence.", gap_ms
                )
                return IntakeEvent(pcm, notice=warning)
            case _:
                return IntakeEvent(notice=item)

    def _next_decoded(self) -> DecodedAudio | None:
        held, self._held = self._held, None
        if isinstance(held, AuricleError):
            raise held
        return self._wire.next_decoded() if held is None else held

    def _following(self, first: Audio) -> Iterator[Audio]:
        """Yield the audio that was received with the first part; hold what is not audio."""
        samples, parts = first.pcm.shape[-1], 1
        while 0 < samples < MERGED_SAMPLES and parts < MERGED_PACKETS:
            try:
                item = self._wire.next_decoded()
            except AuricleError as error:  # the audio before it is valid
                self._held = error
                return
            if item is None and self._inbox and isinstance(self._inbox[0], bytes):
                self._next_item()
            elif not isinstance(item, Audio) or not item.pcm.size:
                self._held = item
                return
            else:
                samples, parts = samples + item.pcm.shape[-1], parts + 1
                yield item

    def _next_item(self) -> IntakeEvent | None:
        if not self._inbox:
            return None
        item = self._inbox.popleft()
        self._inbox_bytes -= _cost_bytes(item)
        if not isinstance(item, bytes):
            return IntakeEvent(command=item)
        self._wire.receive_data(item)
        return IntakeEvent()

    def _next_silence(self, now: float) -> IntakeEvent:
        """Return the next step of silence in a gap, or skip the gap."""
        left = self._silence_samples
        if left > SKIP_FROM_SAMPLES and not self._is_open():
            self._silence_samples = 0
            self._advance(left, self._silence_seq, now)
            return IntakeEvent(skipped_samples=left)
        chunk_samples = min(left, self._step_samples)
        self._silence_samples -= chunk_samples
        seq = None if self._silence_samples else self._silence_seq
        return IntakeEvent(self._noted(np.zeros(chunk_samples, np.int16), seq, now))

    def _noted(
        self, pcm: npt.NDArray[np.int16], seq: int | None, now: float
    ) -> npt.NDArray[np.int16]:
        """Return audio, after which the clock continues."""
        if pcm.size:  # not a repeated packet
            self._advance(pcm.shape[-1], seq, now)
        return pcm

    def _advance(self, samples: int, seq: int | None, now: float) -> None:
        self.clock_sample += samples
        self.arrivals.note(self.clock_sample, now, seq)

    def _drop_inbox(self) -> None:
        self._inbox.clear()
        self._inbox_bytes = 0
        if isinstance(self._held, AuricleError):
            self._held = None


def check_channels(parameters: StreamParameters) -> None:
    """Check that the format has the channels, and that their speakers are not compared.

    Raises:
        BadRequest: It has not, or they are.
    """
    if parameters.multichannel and parameters.speaker_options is not None:
        raise BadRequest("multichannel and speakers exclude each other: a channel is one speaker.")
    if parameters.format is Wire.PCM16:
        return
    if parameters.multichannel:
        raise BadRequest("multichannel needs raw samples or WAV; other formats are mixed to mono.")
    if parameters.channels > MAX_PACKET_CHANNELS:
        raise BadRequest(f"channels must be 1 to {MAX_PACKET_CHANNELS} with Opus.")


def _cost_bytes(item: bytes | OrderedCommand) -> int:
    return ITEM_BYTES + (len(item) if isinstance(item, bytes) else 0)


def _kind_of(parameters: StreamParameters) -> tuple[Wire, int]:
    """Return the parameters whose change starts a new stream; only PCM has a sample rate."""
    is_pcm = parameters.format is Wire.PCM16
    return parameters.format, parameters.sample_rate if is_pcm else 0
