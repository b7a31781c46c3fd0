"""A live captions client for Python programs.

>>> async with LiveClient("http://127.0.0.1:6007") as client:
...     await client.send(pcm)
...     client.finish()
...     async for event in client:
...         print(event)
"""

from auricle.client.backoff import ClientRules
from auricle.client.conversation import CatchingUp, Connected, Disconnected, LiveEvent
from auricle.client.live import LiveClient
from auricle.commands import Configure, StreamParameters
from auricle.events import (
    Closed,
    EagerFinal,
    Failed,
    Final,
    FinalSpeakers,
    Partial,
    SpeakerRevision,
    SpeakerSegment,
    SpeechEnded,
    SpeechStarted,
    Trigger,
    TurnResumed,
    Warned,
    WarningCode,
    Wire,
)
from auricle.types import Gap

__all__ = [
    "CatchingUp",
    "ClientRules",
    "Closed",
    "Configure",
    "Connected",
    "Disconnected",
    "EagerFinal",
    "Failed",
    "Final",
    "FinalSpeakers",
    "Gap",
    "LiveClient",
    "LiveEvent",
    "Partial",
    "SpeakerRevision",
    "SpeakerSegment",
    "SpeechEnded",
    "SpeechStarted",
    "StreamParameters",
    "Trigger",
    "TurnResumed",
    "Warned",
    "WarningCode",
    "Wire",
]
