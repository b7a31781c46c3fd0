"""Requests of a client to end open utterances: which ones end, when, and how it is confirmed."""

from dataclasses import dataclass, field
from math import inf

from auricle.session.channel import Channel
from auricle.session.channels import Channels
from auricle.session.flushes import PendingFlushes
from auricle.session.intake import Intake
from auricle.session.marks import Marks
from auricle.session.outbox import Outbox
from auricle.session.output import Output
from auricle.session.utterances.utterance import UtteranceNumbers
from auricle.values.commands import Flush, Spare
from auricle.values.events import Finalized, Flushed, SpeechEnded

SPARED_S = 0.3
"""Wait for audio after a request that spared an utterance; live audio continues within 0.1 s."""


@dataclass(slots=True)
class EndRequests:
    """Ends the utterances of a session when its client requests it.

    Attributes:
        channels: The channels.
        intake: Receives the audio.
        numbers: Numbers the utterances.
        flushes: The flushes that are not confirmed yet.
        marks: The marks, which advance.
        outbox: Gets all events.
        is_multichannel: Whether events name their channel.
        wake_at: When to call :meth:`end_spared`; infinity if no utterance is spared.
    """

    channels: Channels
    intake: Intake
    numbers: UtteranceNumbers
    flushes: PendingFlushes
    marks: Marks
    outbox: Outbox
    is_multichannel: bool
    wake_at: float = field(default=inf, init=False)
    _spared_sample: int | None = field(default=None, init=False)

    def finalize(self, now: float) -> None:
        """End the open utterances, but not one that has just started."""
        self.outbox.put_all(each.finalize(now, spares_onset=True) for each in self.channels)
        self.outbox.put(self.marks.advance())
        self._spare_onset(None, now)

    def flush(self, command: Flush, now: float) -> None:
        """End the open utterances, and confirm it for each channel, or for one."""
        is_spared = self._is_spared(command.spares)
        outputs: list[Output] = []
        if not is_spared:
            is_onset_spared = command.spares is Spare.ONSET
            outputs = self._end(command.channel, now, spares_onset=is_onset_spared)
        self.outbox.put(self.marks.advance())
        at_sample = self.intake.received_sample
        if is_spared:
            self._spare(now)
        self._spare_onset(command.channel, now)
        ended = {output.channel for output in outputs if isinstance(output, SpeechEnded)}
        for number, channel in self._chosen(command.channel):
            name = number if self.is_multichannel else None
            self.outbox.put(Flushed(at_sample, name in ended, name, channel.segmenter.is_open))
            self.flushes.add(Finalized(at_sample, name), self.numbers.last)

    def end_spared(self, now: float) -> None:
        """End the utterances that a request has spared, if no audio has followed."""
        if self._spared_sample is None:
            return
        has_more = self.intake.received_sample != self._spared_sample
        if not has_more and now < self.wake_at:
            return
        self.forget_spared()
        if not has_more:
            self._end(None, now)
            self.outbox.put(self.marks.advance())

    def forget_spared(self) -> None:
        """Leave what a request has spared to the end of the session, which ends everything."""
        self._spared_sample, self.wake_at = None, inf

    def _end(self, only: int | None, now: float, *, spares_onset: bool = False) -> list[Output]:
        """End the open utterances, or one channel's, after all buffered audio."""
        rest = self.intake.receive_rest(now)
        outputs = self.outbox.put_all(self.channels.receive(rest, now))
        return outputs + self.outbox.put_all(
            channel.flush(now, spares_onset=spares_onset) for _, channel in self._chosen(only)
        )

    def _chosen(self, only: int | None) -> list[tuple[int, Channel]]:
        """Return a channel with its number; ``None``: all of them."""
        return [each for each in enumerate(self.channels) if only in (None, each[0])]

    def _is_spared(self, spares: Spare) -> bool:
        """Return whether a flush spares what may be open."""
        match spares:
            case Spare.NOTHING | Spare.ONSET:
                return False
            case Spare.SPEECH:
                return any(each.segmenter.is_speaking for each in self.channels)
            case Spare.UTTERANCE:
                return True

    def _spare_onset(self, only: int | None, now: float) -> None:
        """Spare a sound that has just begun, which a request leaves open, if audio follows."""
        if any(channel.segmenter.is_open for _, channel in self._chosen(only)):
            self._spare(now)

    def _spare(self, now: float) -> None:
        self._spared_sample, self.wake_at = self.intake.received_sample, now + SPARED_S
