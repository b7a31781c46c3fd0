"""What a text filter is: it turns the text and words of results into others.

A filter is deterministic: the same results give the same text, live and in files.
"""

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from auricle.values.types import Transcript, Word


class Stage(enum.IntEnum):
    """When a filter is applied; those of the same stage by their names."""

    HIDE = 1
    """Private data is hidden, before a filter can change how it is written."""
    CORRECT = 2
    """Words are recognised as others; results keep the text before."""
    FORMAT = 3
    """How words are written."""


class TextFilter(Protocol):
    """A filter with the options of one request, for one channel of a stream or one file."""

    def partial(self, stable: str, unstable: str, language: str | None) -> tuple[str, str]:
        """Return a partial, which shows nothing that its final hides; ``stable`` only grows.

        Args:
            stable: The stable text.
            unstable: The text after it, with the space between them.
            language: The language of its utterance; ``None`` if it is unknown.
        """
        ...

    def final(
        self, text: str, words: Sequence[Word] | None, language: str | None
    ) -> tuple[str, tuple[Word, ...] | None]:
        """Return the text and words of a final; finals are passed in their order.

        Args:
            text: The text.
            words: Its words, with the spaces before them; ``None`` without word times.
            language: Its language; ``None`` if it is unknown.
        """
        ...

    def speculative(
        self, text: str, words: Sequence[Word] | None, language: str | None
    ) -> tuple[str, tuple[Word, ...] | None]:
        """Return what :meth:`final` returns, for a text that may not become a final."""
        ...

    def transcript(self, transcript: Transcript) -> Transcript:
        """Return the transcript of a file; slow for hours of speech.

        At the stage ``CORRECT``, changed segments have :attr:`.Segment.original`.
        """
        ...


@dataclass(frozen=True, slots=True)
class FilterSpec:
    """A text filter: the constant ``SPEC`` of the module ``spec`` in its folder.

    The name of the folder is that of the filter, in :class:`.FilterChoice`.

    Attributes:
        stage: When it is applied.
        open: Returns a filter with the prepared options of a request.
        options: The type of these options, which is their validation.
        placeholders: Words that it writes in place of others, which formats of text keep.
        prepare: Returns what filters with the same options share; slow for large ones. ``None``:
            the options.
    """

    stage: Stage
    open: Callable[[Any], TextFilter]
    options: Any = None
    placeholders: frozenset[str] = frozenset()
    prepare: Callable[[Any], Any] | None = None
