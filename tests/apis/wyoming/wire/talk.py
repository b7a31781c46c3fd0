"""A dialect with its inputs and outputs, for the tests of this folder."""

from typing import Any

from auricle.apis.wyoming.wire.events import DescribedModel, WyomingDialect, info_event
from auricle.apis.wyoming.wire.framing import WyomingEvent
from auricle.protocol.dialect import Reply, Step
from auricle.values.commands import StreamParameters
from auricle.values.events import Closed, Final, Partial, SessionEvent, Trigger
from auricle.values.languages import LANGUAGES
from tests.apis.wyoming.service import MONO_16, event, read

MODEL = DescribedModel("base", "Whisper", LANGUAGES, "OpenAI", "https://github.com/openai/whisper")
INFO = info_event([MODEL], "1.2.3")
CHUNK = event("audio-chunk", MONO_16, b"\1\2\3\4")
STOP = event("audio-stop")
CLOSED = Closed("stop", 16_000, 0, 0, 0)


def final(
    text: str,
    *,
    language: str = "en",
    error: str | None = None,
    trigger: Trigger | None = None,
) -> Final:
    return Final(1, 1, text, 0, 16_000, language, None, 300.0, False, error=error, trigger=trigger)


def partial(stable: str) -> Partial:
    return Partial(1, stable, "perhaps", 0, 16_000)


class Talk:
    """A dialect with its inputs and outputs."""

    def __init__(self, *, ends_commands: bool = False) -> None:
        self.dialect = WyomingDialect(INFO, ends_commands=ends_commands)

    def hear(self, *wire: bytes) -> list[Step]:
        return list(self.dialect.receive_bytes(b"".join(wire)))

    def reply(self, *wire: bytes) -> list[WyomingEvent]:
        """Return the replies; no other steps are expected."""
        steps = self.hear(*wire)
        assert all(isinstance(step, Reply) for step in steps)
        return read("".join(t for step in steps if isinstance(step, Reply) for t in step.texts))

    def begin(self, *wire: bytes) -> tuple[StreamParameters | None, list[Step]]:
        """Begin a request; return the parameters of its session and its first steps."""
        assert self.hear(*wire) == []
        parameters = self.dialect.requested
        self.dialect.begin()
        return parameters, self.hear()

    def tell(self, *events: SessionEvent) -> list[tuple[str, dict[str, Any]]]:
        texts = "".join(text for event in events for text in self.dialect.encode(event))
        return [(replies.type, replies.data) for replies in read(texts)]
