"""Find the text filters: the folders next to this module that have a spec."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from threading import Lock
from types import MappingProxyType
from typing import Any

import auricle.text.filters
from auricle.protocol.fields import decode_json
from auricle.system.spec_modules import find_specs
from auricle.text.filters.base import FilterSpec, Stage, TextFilter
from auricle.values.errors import UnsupportedOption
from auricle.values.text_filters import FilterChoice
from auricle.values.types import Transcript, Word


def find_filters() -> Mapping[str, FilterSpec]:
    """Return the filters of this installation by name, in alphabetical order."""
    return find_specs(auricle.text.filters)


MAX_PREPARED_CHARACTERS = 2_000_000
"""Options that are kept prepared: 80 bytes a character, so 8 MB for a vocabulary of 5,000 terms."""

FILTERS = find_filters()
PLACEHOLDERS = frozenset().union(*(spec.placeholders for spec in FILTERS.values()))
"""What the filters write in place of other words."""


class TextFilters:
    """Filters that are applied one after another; a :class:`.TextFilter` itself."""

    def __init__(self, filters: Mapping[FilterChoice, TextFilter] = MappingProxyType({})) -> None:
        self._chosen = filters
        self._filters = tuple(filters.values())

    def changed(self, choices: Iterable[FilterChoice]) -> "TextFilters":
        """Return the filters of other choices; those that stay remember the text so far.

        Raises:
            UnsupportedOption: This installation lacks one.
            BadRequest: The options of one are invalid.
        """
        chosen = sorted(choices, key=lambda choice: (_spec_of(choice).stage, choice.name))
        return TextFilters({each: self._chosen.get(each) or _open(each) for each in chosen})

    def partial(self, stable: str, unstable: str, language: str | None) -> tuple[str, str]:
        """Return a partial."""
        for each in self._filters:
            stable, unstable = each.partial(stable, unstable, language)
        return stable, unstable

    def final(
        self, text: str, words: Sequence[Word] | None, language: str | None
    ) -> tuple[str, tuple[Word, ...] | None]:
        """Return the text and words of a final."""
        return self.final_with_original(text, words, language)[:2]

    def final_with_original(
        self, text: str, words: Sequence[Word] | None, language: str | None
    ) -> tuple[str, tuple[Word, ...] | None, str | None]:
        """Return the same with the text before its correction; ``None`` if it is equal."""
        shown = None if words is None else tuple(words)
        original = None
        for choice, each in self._chosen.items():
            before = text
            text, shown = each.final(text, shown, language)
            if text != before and _spec_of(choice).stage is Stage.CORRECT:
                original = original or before
        return text, shown, original

    def speculative(
        self, text: str, words: Sequence[Word] | None, language: str | None
    ) -> tuple[str, tuple[Word, ...] | None]:
        """Return what :meth:`final` returns, for a text that may not become a final."""
        shown = None if words is None else tuple(words)
        for each in self._filters:
            text, shown = each.speculative(text, shown, language)
        return text, shown

    def transcript(self, transcript: Transcript) -> Transcript:
        """Return the transcript of a file; slow for hours of speech."""
        for each in self._filters:
            transcript = each.transcript(transcript)
        return transcript


def open_filters(choices: Iterable[FilterChoice]) -> TextFilters:
    """Return the filters that a request asks for, in the order of their stages.

    Raises:
        UnsupportedOption: This installation lacks one.
        BadRequest: The options of one are invalid.
    """
    return TextFilters().changed(choices)


def hides_text(choices: Iterable[FilterChoice]) -> bool:
    """Return whether the request hides private data, which must not be stored.

    Raises:
        UnsupportedOption: This installation lacks a filter.
    """
    return any(_spec_of(each).stage is Stage.HIDE for each in choices)


def _spec_of(choice: FilterChoice) -> FilterSpec:
    spec = FILTERS.get(choice.name)
    if spec is None:
        raise UnsupportedOption(
            f"This server has no {choice.name}; remove the option that requests it."
        )
    return spec


def _open(choice: FilterChoice) -> TextFilter:
    return _spec_of(choice).open(_PREPARED.get(choice))


class PreparedOptions:
    """Options of filters that are prepared once; those that were not used for longest are dropped.

    Args:
        max_characters: Limit of their JSON, in characters.
    """

    def __init__(self, max_characters: int) -> None:
        self._max_characters = max_characters
        self._known: OrderedDict[FilterChoice, Any] = OrderedDict()
        self._characters = 0
        self._lock = Lock()

    def get(self, choice: FilterChoice) -> Any:
        """Return the prepared options of a choice; slow for large ones; thread-safe."""
        with self._lock:
            if choice in self._known:
                self._known.move_to_end(choice)
                return self._known[choice]
        prepared = _prepare(choice)
        with self._lock:
            if choice not in self._known:
                self._known[choice] = prepared
                self._characters += len(choice.options)
            while self._characters > self._max_characters:
                self._characters -= len(self._known.popitem(last=False)[0].options)
        return prepared


_PREPARED = PreparedOptions(MAX_PREPARED_CHARACTERS)


def _prepare(choice: FilterChoice) -> Any:
    spec = _spec_of(choice)
    options = decode_json(choice.options, spec.options, f"options of {choice.name}")
    return options if spec.prepare is None else spec.prepare(options)
