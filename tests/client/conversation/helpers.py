"""What the tests of conversation share."""

from collections.abc import Iterator
from struct import unpack_from

import numpy as np

from auricle.apis.native.wire.stream import Command, decode_command
from auricle.client.conversation import OFFSET, Conversation
from auricle.values.commands import StreamParameters
from auricle.values.events import Closed, Final, Ready
from auricle.values.types import SAMPLE_RATE_HZ, Pcm16

SECOND = SAMPLE_RATE_HZ
CLOSED = Closed("stop", 0, 0, 0, 0)


def speech(seconds: float) -> Pcm16:
    return np.zeros(int(seconds * SECOND), np.int16)


def ready(
    received: int = 0,
    *,
    safe: int | None = None,
    resumed: bool = False,
    name: str = "A",
    speakers_continue: bool = False,
) -> Ready:
    safe = received if safe is None else safe
    return Ready(
        name,
        f"secret of {name}",
        resumed,
        True,
        received,
        safe,
        speakers_continue=speakers_continue,
    )


def final(id: int, start: int, end: int, utterance: int | None = None) -> Final:
    number = id if utterance is None else utterance
    return Final(id, number, f"{start}-{end}", start, end, "en", None, 1.0, False)


def in_pcm(**parameters: object) -> Conversation:
    return Conversation(StreamParameters(**parameters), None)  # type: ignore[arg-type]  # fields by name


def opened(**parameters: object) -> Conversation:
    """Return a conversation in PCM with its first session open."""
    talk = in_pcm(**parameters)
    talk.connected()
    talk.receive_event(ready(talk.safe_sample))
    return talk


def messages(talk: Conversation) -> Iterator[Command | tuple[int, int]]:
    """Yield all messages to send: commands, and the start and end of PCM."""
    while (message := talk.next_message()) is not None:
        if isinstance(message, str):
            yield decode_command(message)
        else:
            (at,) = unpack_from("<Q", message)
            yield at, at + (len(message) - OFFSET.size) // 2


def spans(talk: Conversation) -> list[tuple[int, int]]:
    return [message for message in messages(talk) if isinstance(message, tuple)]


def commands(talk: Conversation) -> list[Command]:
    return [message for message in messages(talk) if not isinstance(message, tuple)]


def forgotten(
    talk: Conversation, received: int, *, speakers_continue: bool = False
) -> list[object]:
    """Reconnect to a server without the session, which starts where requested."""
    talk.disconnected()
    talk.query()
    talk.connected()
    safe = talk.audio.safe_sample
    answer = ready(received, safe=safe, name="B", speakers_continue=speakers_continue)
    return list(talk.receive_event(answer))
