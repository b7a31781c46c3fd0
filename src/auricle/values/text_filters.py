"""The text filters that a request asks for.

The core passes them on without knowing what they do; :mod:`auricle.text.filters` applies them.
"""

from dataclasses import dataclass
from typing import Self

import msgspec

from auricle.values.types import Redact


@dataclass(frozen=True, slots=True)
class FilterChoice:
    """A text filter that a request asks for.

    Attributes:
        name: The name of its folder.
        options: Its options as JSON, which only the folder reads.
    """

    name: str
    options: str = "null"

    @classmethod
    def of(cls, name: str, options: object) -> Self:
        """Return the choice of a filter with options."""
        return cls(name, msgspec.json.encode(options).decode())


def redaction(kinds: tuple[Redact, ...]) -> tuple[FilterChoice, ...]:
    """Return the filters that hide private data."""
    return (FilterChoice.of("redaction", kinds),) if kinds else ()
