"""What a client has configured: model, format, endpointing, speakers and turns."""

from dataclasses import dataclass, field

from msgspec import UNSET

from auricle.engines.models import Models
from auricle.session.channels import Channels
from auricle.session.choice import ModelChoice
from auricle.session.intake import Intake
from auricle.session.outbox import Outbox
from auricle.session.output import Prepare
from auricle.session.speakers import SessionSpeakers
from auricle.values.commands import Configure, UpdateConfig
from auricle.values.events import Warned, WarningCode
from auricle.values.types import SpeakerOptions, TurnDetection, TurnJob

NO_TURNS = Warned(
    WarningCode.TURNS_UNAVAILABLE,
    "The end of turns can't be judged now; silence ends utterances.",
)


@dataclass(slots=True)
class Configuration:
    """Applies what the client requests to the parts of its session.

    Attributes:
        choice: The model and the options of later utterances.
        models: The models of the server.
        intake: Receives the audio.
        channels: The channels.
        speakers: Labels the utterances.
        outbox: Gets outputs and warnings.
        judges_turns: Whether turns can be judged; otherwise silence ends utterances.
    """

    choice: ModelChoice
    models: Models
    intake: Intake
    channels: Channels
    speakers: SessionSpeakers
    outbox: Outbox
    judges_turns: bool
    _has_warned_of_turns: bool = field(default=False, init=False)

    def check(self, command: Configure) -> None:
        """Check a command, which :meth:`apply` gets after the audio before it.

        Raises:
            ModelNotFound: There is no such model.
            BadRequest: The model does not support the language or the task, or the new format does
                not have these channels.
        """
        self.intake.configured(command)
        self.choice.after(command, self.models)

    def apply(self, command: Configure, now: float) -> None:
        """Apply a command to all later audio.

        Raises:
            ModelNotFound: As for :meth:`check`.
            BadRequest: As for :meth:`check`.
        """
        choice = self.choice.after(command, self.models)
        if command.endpoint_ms is not UNSET:
            for channel in self.channels:
                channel.segmenter.configure(command.endpoint_ms)
        rest = self.intake.configure(command, now)
        self.outbox.put_all(self.channels.receive(rest, now))
        self.choice = choice
        for channel in self.channels:
            channel.use(choice)
        if isinstance(command, UpdateConfig) and command.speakers is not UNSET:
            self.request_speakers(SpeakerOptions() if command.speakers else None)
        if isinstance(command, UpdateConfig) and command.turns is not UNSET:
            self.request_turns(command.turns)

    def request_speakers(self, options: SpeakerOptions | None) -> None:
        """Label later utterances, or stop to."""
        output = self.speakers.request(options)
        if isinstance(output, Warned):
            self.outbox.hold(output)
        elif output is not None:
            self.outbox.put(output)

    def request_turns(self, turns: TurnDetection | None) -> None:
        """End later utterances by how they sound, or by silence only."""
        if turns is not None and not self.judges_turns:
            self.warn_of_turns()
        asks = turns is not None and self.judges_turns
        if asks:
            self.outbox.put(Prepare(TurnJob))
        for channel in self.channels:
            channel.detect_turns(turns, asks=asks)

    def warn_of_turns(self) -> None:
        """Warn once that silence ends utterances."""
        if not self._has_warned_of_turns:
            self._has_warned_of_turns = True
            self.outbox.hold(NO_TURNS)
