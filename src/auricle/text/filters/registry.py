"""Find the text filters: the folders next to this module that have a spec."""

from collections.abc import Iterable, Mapping, Sequence

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


FILTERS = find_filters()
PLACEHOLDERS = frozenset().union(*(spec.placeholders for spec in FILTERS.values()))
"""What the filters write in place of other words."""


class TextFilters:
    """Filters that are applied one after another; a :class:`.TextFilter` itself."""

    def __init__(self, filters: Sequence[TextFilter]) -> None:
        self._filters = filters

    def partial(self, stable: str, unstable: str) -> tuple[str, str]:
        """Return a partial."""
        for each in self._filters:
            stable, unstable = each.partial(stable, unstable)
        return stable, unstable

    def final(
        self, text: str, words: Sequence[Word] | None, language: str | None
    ) -> tuple[str, tuple[Word, ...] | None]:
        """Return the text and words of a final."""
        shown = None if words is None else tuple(words)
        for each in self._filters:
            text, shown = each.final(text, shown, language)
        return text, shown

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
    chosen = sorted(choices, key=lambda choice: (_spec_of(choice).stage, choice.name))
    return TextFilters([_open(choice) for choice in chosen])


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
    spec = _spec_of(choice)
    return spec.open(decode_json(choice.options, spec.options, f"options of {choice.name}"))
