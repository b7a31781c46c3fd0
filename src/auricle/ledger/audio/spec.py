"""What an optional store of audio provides: :class:`AudioSpec`."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from auricle.config.settings import Settings
from auricle.ledger.audio.store import AudioStore


@dataclass(frozen=True, slots=True)
class AudioSpec:
    """A store of audio for several gateways: the constant ``SPEC`` of the module ``spec``.

    Attributes:
        schemes: Schemes of its URLs, the first of which is its name in ``/v1/models``.
        check_url: Raises :class:`.SetupError` if a URL is malformed.
        open: Returns the store at a URL, given all settings and a directory for local copies;
            connects to nothing. Raises :class:`.SetupError` if the settings can't be used, or its
            client is missing.
        advice: What to check if the service does not answer.
    """

    schemes: tuple[str, ...]
    check_url: Callable[[str], None]
    open: Callable[[str, Settings, Path], AudioStore]
    advice: str
