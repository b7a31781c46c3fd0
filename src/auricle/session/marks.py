"""The marks of a session: what it has received, and what its client may discard."""

from collections.abc import Sequence

from auricle.session.arrivals import SafeMark
from auricle.session.channel import Channel
from auricle.session.intake import Intake
from auricle.values.commands import StreamParameters
from auricle.values.events import AudioProgress
from auricle.values.types import SAMPLE_RATE_HZ

MARK_EVERY_SAMPLES = SAMPLE_RATE_HZ


class Marks:
    """The marks of one session.

    Args:
        parameters: The stream parameters from the client.
        intake: Receives the audio.
        channels: The channels.
    """

    def __init__(
        self, parameters: StreamParameters, intake: Intake, channels: Sequence[Channel]
    ) -> None:
        self._intake = intake
        self._channels = channels
        self._is_multichannel = parameters.multichannel
        self._safe = SafeMark(parameters.resume_sample)
        self._marked_sample = parameters.start_sample
        self._is_over = False

    @property
    def safe_sample(self) -> int:
        """The position up to which all speech is in finals."""
        return self._safe.sample

    @property
    def are_due(self) -> bool:
        """Whether enough audio has been received since the last marks."""
        return self._intake.received_sample - self._marked_sample >= MARK_EVERY_SAMPLES

    def advance(self) -> AudioProgress:
        """Return the marks after finals, or after new audio."""
        received_sample = self._intake.received_sample
        mark = self._intake.arrivals.settle(
            # An utterance may end in the silence that pads the last window.
            min(received_sample, *self._needed_samples())
        )
        if mark.sample >= self._safe.sample:  # a session may start before its first safe mark
            self._safe = mark
        self._marked_sample = received_sample
        return self.progress()

    def finish(self) -> AudioProgress:
        """Return the marks at the end of the session: everything is safe."""
        safe_sample = max(self._intake.received_sample, self._safe.sample)
        self._safe, self._is_over = SafeMark(safe_sample, self._intake.received_seq), True
        return self.progress()

    def progress(self) -> AudioProgress:
        """Return the present marks."""
        received_seq = self._intake.received_seq
        safe_seq = None if received_seq is None else self._safe.seq
        received_sample, safe_sample = self._intake.received_sample, self._safe.sample
        return AudioProgress(
            received_sample, safe_sample, received_seq, safe_seq, self._channels_safe()
        )

    def _channels_safe(self) -> tuple[int, ...]:
        """Return the positions up to which the speech of each separate channel is in finals."""
        if not self._is_multichannel:
            return ()
        safe_sample, received_sample = self._safe.sample, self._intake.received_sample
        if self._is_over:
            return (safe_sample,) * len(self._channels)
        return tuple(
            max(safe_sample, min(sample, received_sample)) for sample in self._needed_samples()
        )

    def _needed_samples(self) -> tuple[int, ...]:
        return tuple(channel.recognition.needed_sample for channel in self._channels)
