"""Clients of a server for Python programs.

:class:`Client` and :class:`AsyncClient` transcribe recordings, and have jobs and kept transcripts:

>>> with Client("http://127.0.0.1:6007") as client:
...     print(client.transcribe("talk.mp3").text)

:class:`LiveClient` is a live stream:

>>> async with LiveClient("http://127.0.0.1:6007") as client:
...     await client.send(pcm)
...     client.finish()
...     async for event in client:
...         print(event)

Names are imported when they are first used: a program that transcribes files loads neither NumPy
nor libopus.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from auricle.client.api.async_client import AsyncClient
    from auricle.client.api.client import Client
    from auricle.client.api.live_stream import LiveStream
    from auricle.client.api.options import JobOptions, TranscribeOptions
    from auricle.client.api.results import Job, KeptTranscript, Transcript
    from auricle.client.backoff import ClientRules
    from auricle.client.conversation import CatchingUp, Connected, Disconnected, LiveEvent
    from auricle.client.live import LiveClient
    from auricle.values.commands import Configure, StreamParameters
    from auricle.values.events import (
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
    from auricle.values.types import Gap

__all__ = [
    "AsyncClient",
    "CatchingUp",
    "Client",
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
    "Job",
    "JobOptions",
    "KeptTranscript",
    "LiveClient",
    "LiveEvent",
    "LiveStream",
    "Partial",
    "SpeakerRevision",
    "SpeakerSegment",
    "SpeechEnded",
    "SpeechStarted",
    "StreamParameters",
    "TranscribeOptions",
    "Transcript",
    "Trigger",
    "TurnResumed",
    "Warned",
    "WarningCode",
    "Wire",
]

_NAMES = {
    "auricle.client.api.async_client": ("AsyncClient",),
    "auricle.client.api.client": ("Client",),
    "auricle.client.api.live_stream": ("LiveStream",),
    "auricle.client.api.options": ("JobOptions", "TranscribeOptions"),
    "auricle.client.api.results": ("Job", "KeptTranscript", "Transcript"),
    "auricle.client.backoff": ("ClientRules",),
    "auricle.client.conversation": ("CatchingUp", "Connected", "Disconnected", "LiveEvent"),
    "auricle.client.live": ("LiveClient",),
    "auricle.values.commands": ("Configure", "StreamParameters"),
    "auricle.values.events": (
        "Closed",
        "EagerFinal",
        "Failed",
        "Final",
        "FinalSpeakers",
        "Partial",
        "SpeakerRevision",
        "SpeakerSegment",
        "SpeechEnded",
        "SpeechStarted",
        "Trigger",
        "TurnResumed",
        "Warned",
        "WarningCode",
        "Wire",
    ),
    "auricle.values.types": ("Gap",),
}
_MODULES = {name: module for module, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> object:
    """Import a name of this package (PEP 562)."""
    if (module := _MODULES.get(name)) is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(module), name)
