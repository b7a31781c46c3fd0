"""Where a spoken command ends, if the server decides it and not the client's ``audio-stop``.

A command ends with a finished turn that has text, if no speech has followed for a while, and none
until its text is known: speech in the audio that the session has processed before the answer
belongs to the command. A cough or a door, whose text is empty, does not end it. It also ends after
a time without speech, and at a maximum length, so that no client streams forever.

Positions are 16 kHz samples of the audio.
"""

from dataclasses import dataclass

from auricle.values.events import AudioProgress, Final
from auricle.values.types import SAMPLE_RATE_HZ

NO_SPEECH_SAMPLES = 15 * SAMPLE_RATE_HZ
"""Audio without speech that ends a command; Home Assistant's own detection waits as long."""
MAX_COMMAND_SAMPLES = 60 * SAMPLE_RATE_HZ
"""Maximum length of a command."""


@dataclass(frozen=True, slots=True)
class CommandPauses:
    """The silences that end a command.

    Attributes:
        silence_ms: Silence after speech that sounds finished, or whose end can't be judged.
        limit_ms: Silence after speech that sounds unfinished.
    """

    silence_ms: int
    limit_ms: int


_DEFAULT = CommandPauses(700, 2000)
_BY_SENSITIVITY = {
    "aggressive": CommandPauses(250, 1000),
    "relaxed": CommandPauses(1250, 3000),
}
"""The silences are those of Home Assistant's own detection."""


def pauses_for(sensitivity: str | None) -> CommandPauses:
    """Return the silences for a ``vad_sensitivity``; unknown ones are the default."""
    return _BY_SENSITIVITY.get(sensitivity or "", _DEFAULT)


class CommandEnd:
    """The end of one command.

    Args:
        silence_ms: From :class:`CommandPauses`.
    """

    def __init__(self, silence_ms: int) -> None:
        self._silence_samples = silence_ms * SAMPLE_RATE_HZ // 1000
        self._open_utterances = self._quiet_since = 0
        self._has_text = self._is_finished = False

    @property
    def awaits_silence(self) -> bool:
        """Whether a finished turn ends the command, unless speech follows."""
        return self._is_finished and not self._open_utterances

    def is_reached(self, progress: AudioProgress) -> bool:
        """Return whether the command has ended with a finished turn."""
        quiet_samples = progress.received_sample - self._quiet_since
        return self.awaits_silence and quiet_samples >= self._silence_samples

    def start_utterance(self) -> None:
        """Note the start of an utterance."""
        self._open_utterances += 1

    def finish_utterance(self, final: Final) -> None:
        """Note the final of an utterance.

        An utterance of maximum length has no ``trigger``: it continues in the next one.
        """
        self._open_utterances -= 1
        self._quiet_since = final.end_sample
        self._has_text |= bool(final.text)
        self._is_finished = self._has_text and final.trigger is not None

    def is_at_limit(self, progress: AudioProgress) -> bool:
        """Return whether the command ends without a finished turn."""
        quiet_since = progress.received_sample if self._open_utterances else self._quiet_since
        return (
            progress.received_sample - quiet_since >= NO_SPEECH_SAMPLES
            or progress.received_sample >= MAX_COMMAND_SAMPLES
        )
