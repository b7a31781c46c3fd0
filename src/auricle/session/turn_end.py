"""Decide when a turn has ended: by how the speech before a pause sounds, and by the pause's length.

In each pause, the model is asked once how probably the speaker has finished. The answer sets the
silence that ends the utterance. It is a hint, not a verdict: the end of a phrase sounds finished,
too, so a turn never ends as soon as the answer arrives (``bench/turns.py``).

The silence depends on the audio only, so that a session that receives the same audio again finds
the same turns. Without an answer, because the worker is busy or has died, the silence is that of
``endpoint_ms``.
"""

from math import inf

from auricle.audio.endpointer import EndCause
from auricle.session.output import Submit
from auricle.values.errors import AuricleError
from auricle.values.events import Trigger
from auricle.values.types import JobId, Pcm16, TurnDetection, TurnJob

ASK_MS = 192
"""Silence after which the model is asked: 6 windows of the voice detector."""
FINISH_MS, DOUBT_MS = 448, 1000
"""Silence that ends a turn that certainly sounds finished, and what is added to it in proportion to
the doubt: 0.25 s at a probability of 0.75."""
ANSWER_S = 0.5
"""How long to wait for the answer; an idle worker needs 0.05 s."""


def silence_ms(probability: float, turns: TurnDetection) -> int:
    """Return the silence that ends a pause.

    Args:
        probability: That the speaker has finished, from 0 to 1.
        turns: What the client requested.
    """
    if not sounds_finished(probability, turns):
        return turns.limit_ms
    return min(turns.limit_ms, FINISH_MS + round((1 - probability) * DOUBT_MS))


def sounds_finished(probability: float, turns: TurnDetection) -> bool:
    """Return whether a turn with this probability ends before the limit."""
    return probability >= turns.threshold < 1


class TurnEnd:
    """The question of the present pause of one channel, and its answer.

    Args:
        name: Beginning of the ids of its jobs.

    Attributes:
        turns: What the client requested; ``None``: silence ends utterances.
        probability: The answer in the present pause; ``None`` before, or without one.
        due_at: Monotonic time at which the answer is too late; infinity if there is no question.
    """

    def __init__(self, name: str) -> None:
        self.turns: TurnDetection | None = None
        self.probability: float | None = None
        self._has_failed = False
        self._name = name
        self._questions = 0
        self._job_id: JobId | None = None
        self.due_at = inf

    def ask(self, pcm: Pcm16, now: float) -> Submit[TurnJob]:
        """Return the question of a pause.

        Args:
            pcm: The utterance, and the silence after it; at most 8 s.
            now: Monotonic time, in seconds.
        """
        self._questions += 1
        self._job_id = JobId(f"{self._name}:t{self._questions}")
        self.due_at = now + ANSWER_S
        return Submit(TurnJob(self._job_id, pcm, ANSWER_S))

    def answered(self, job_id: JobId, result: float | AuricleError) -> bool:
        """Receive a probability, or an error; return whether it answers the question."""
        if job_id != self._job_id:
            return False
        self._job_id, self.due_at = None, inf
        if isinstance(result, float):
            self.probability = result
        else:
            self._has_failed = True
        return True

    def take_failure(self) -> bool:
        """Return whether a question was not answered since the last call."""
        has_failed, self._has_failed = self._has_failed, False
        return has_failed

    def is_overdue(self, now: float) -> bool:
        """Return whether the answer is too late; then the question is dropped."""
        if now < self.due_at:
            return False
        self._job_id, self.due_at, self._has_failed = None, inf, True
        return True

    def resume(self) -> None:
        """Forget the pause: speech continues, or the utterance ended."""
        self.probability, self._job_id, self.due_at = None, None, inf

    @property
    def silence_ms(self) -> int | None:
        """Silence that ends this pause; ``None``: that of ``endpoint_ms``."""
        if self.turns is None or self.probability is None:
            return None
        return silence_ms(self.probability, self.turns)

    @property
    def wants_eager(self) -> bool:
        """Whether eager finals are requested."""
        return self.turns is not None and self.turns.eager_threshold is not None

    @property
    def is_eager(self) -> bool:
        """Whether an eager final may be sent in this pause."""
        if self.turns is None or self.turns.eager_threshold is None or self.probability is None:
            return False
        return self.probability >= self.turns.eager_threshold

    def trigger(self, cause: EndCause) -> Trigger | None:
        """Return what ended a turn; ``None`` if it continues, or without turn detection."""
        if self.turns is None:
            return None
        match cause:
            case EndCause.REQUEST:
                return Trigger.MANUAL
            case EndCause.LENGTH:
                return None
            case EndCause.SILENCE:
                probability = self.probability
                is_sure = probability is not None and sounds_finished(probability, self.turns)
                return Trigger.MODEL if is_sure else Trigger.TIMEOUT
