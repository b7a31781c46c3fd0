"""The finals of a session: one sequence for all channels, with their speakers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from auricle.session.channel import Channel
from auricle.session.intake import Intake
from auricle.session.journal import Journal
from auricle.session.outbox import Outbox
from auricle.session.output import Revised
from auricle.session.speakers import SessionSpeakers, revision
from auricle.values.events import Final, Warned, WarningCode


@dataclass(frozen=True, slots=True)
class Finals:
    """Emits the finals that are ready, and later revisions of their speakers.

    Attributes:
        channels: The channels, which return their finals in order.
        speakers: Labels the finals.
        intake: Has the position of warnings.
        journal: Gets the finals.
        outbox: Gets finals, revisions and warnings.
        has_words: Whether the client requested words.
    """

    channels: Sequence[Channel]
    speakers: SessionSpeakers
    intake: Intake
    journal: Journal
    outbox: Outbox
    has_words: bool

    def emit_next(self, now: float, load: float) -> bool:
        """Emit the next final of any channel, if its speakers are known or must not delay it.

        Args:
            now: Monotonic time in seconds.
            load: The load of the recognisers, from 0 to 1.

        Returns:
            Whether a final was emitted; others may follow.
        """
        for channel in self.channels:
            utterance = channel.recognition.ready_utterance
            if utterance is not None:
                break
        else:
            return False
        if self.speakers.hold(utterance, now, load):
            return False
        final = channel.recognition.next_final(self.journal.next_id, now)
        assert final is not None, "it is ready"
        self._warn_of_language(channel)
        if self.speakers.has_started:
            final = self._sent(self.speakers.labeller.labelled(final))
        self.journal.add(final)
        self.outbox.put(final)
        return True

    def revise(self, *, is_over: bool) -> None:
        """Emit the speakers of finals that have changed since these were emitted.

        Args:
            is_over: Whether no more speech follows.
        """
        if revised := self.speakers.revised(is_over=is_over):
            self.outbox.put(revision(revised))
            self.outbox.put(Revised(tuple(revised)))
        for final in revised:
            self.journal.replace(self._sent(final))
        if (warning := self.speakers.take_warning()) is not None:
            self.outbox.hold(warning)

    def _sent(self, final: Final) -> Final:
        """Return a labelled final as the client gets it: with words only if it requested them."""
        return final if self.has_words else replace(final, words=None)

    def _warn_of_language(self, channel: Channel) -> None:
        """Warn, before a final, that it is probably not in the requested language."""
        warning = channel.recognition.language_warning
        if warning is not None:
            self.outbox.hold(Warned(WarningCode.LANGUAGE_IMPROBABLE, warning))
            self.outbox.warn(self.intake.received_sample)
