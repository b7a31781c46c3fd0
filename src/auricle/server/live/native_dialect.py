"""The native protocol as a dialect: events as they are, binary messages untouched."""

from collections.abc import Iterable

from msgspec import UNSET, structs

from auricle.errors import BadRequest
from auricle.events import Event, SessionEvent
from auricle.languages import language_choice
from auricle.protocol.dialect import ClosingMessages, End, Step
from auricle.protocol.native.stream import Configure, Resume, Start, decode_command, encode_event


class NativeDialect:
    """See :class:`auricle.protocol.dialect.Dialect`."""

    is_resumable = True
    idle_timeout_s = None

    def receive_text(self, text: str) -> Iterable[Step]:
        """Read a command.

        Raises:
            BadRequest: It isn't one, or comes too late.
        """
        command = decode_command(text)
        if isinstance(command, Start | Resume):
            raise BadRequest("The session has started: open another connection for this.")
        return (_resolved(command) if isinstance(command, Configure) else command,)

    def receive_bytes(self, data: bytes) -> Iterable[Step]:
        """Pass audio on."""
        return (data,)

    def encode(self, event: SessionEvent) -> Iterable[str]:
        """Return the one message that tells an event, if the protocol has one."""
        return (encode_event(event),) if isinstance(event, Event) else ()

    def closing_messages(self, end: End) -> ClosingMessages:
        """Tell the error, if there is one, and close with its code."""
        texts = () if end.failed is None else tuple(self.encode(end.failed))
        return ClosingMessages(texts, end.close_code, end.how)


def _resolved(command: Configure) -> Configure:
    """Return the command with codes for languages; a language that is named lifts a restriction."""
    if not command.language and command.languages is UNSET:
        return command
    language, languages = language_choice(command.language or None, command.languages or ())
    return structs.replace(command, language=language, languages=languages)
