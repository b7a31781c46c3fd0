"""The native protocol as a dialect: events and binary messages pass through unchanged."""

from collections.abc import Iterable

from msgspec import UNSET, structs

from auricle.apis.native.wire.stream import Resume, Start, decode_command, encode_event
from auricle.protocol.dialect import ClosingMessages, End, Step
from auricle.values.commands import Configure
from auricle.values.errors import BadRequest
from auricle.values.events import Event, SessionEvent
from auricle.values.languages import language_choice


class NativeDialect:
    """See :class:`auricle.protocol.dialect.Dialect`."""

    is_resumable = True
    idle_timeout_s = None

    def receive_text(self, text: str) -> Iterable[Step]:
        """Parse a command.

        Raises:
            BadRequest: The text is not a command, or the command is not valid after the start.
        """
        command = decode_command(text)
        if isinstance(command, Start | Resume):
            raise BadRequest(
                "`start` and `resume` are not valid in a running session; open a new connection."
            )
        return (_resolved(command) if isinstance(command, Configure) else command,)

    def receive_bytes(self, data: bytes) -> Iterable[Step]:
        """Pass audio on."""
        return (data,)

    def encode(self, event: SessionEvent) -> Iterable[str]:
        """Return the message for an event; nothing if the native protocol has none."""
        return (encode_event(event),) if isinstance(event, Event) else ()

    def closing_messages(self, end: End) -> ClosingMessages:
        """Return the error event, if there is one, and the close code and reason."""
        texts = () if end.failed is None else tuple(self.encode(end.failed))
        return ClosingMessages(texts, end.close_code, end.how)


def _resolved(command: Configure) -> Configure:
    """Return the command with language codes; an explicit language overrides ``languages``."""
    if not command.language and command.languages is UNSET:
        return command
    language, languages = language_choice(command.language or None, command.languages or ())
    return structs.replace(command, language=language, languages=languages)
