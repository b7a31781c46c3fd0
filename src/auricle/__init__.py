"""Auricle: self-hosted speech to text that does not go down.

>>> from auricle import Client
>>> with Client("http://127.0.0.1:6007") as client:
...     print(client.transcribe("talk.mp3").text)
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from auricle.client import AsyncClient, Client

__all__ = ["AsyncClient", "Client"]
__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """Import a client when it is first used: the server and its commands load none (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("auricle.client"), name)
