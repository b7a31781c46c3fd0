"""The options of the filter: the vocabulary of a user."""

from typing import Annotated

import msgspec
from msgspec import Meta

MAX_TERMS = 5_000
MAX_TERM_CHARACTERS = 100
MAX_SOUNDS_LIKE = 10
MAX_REPLACEMENTS = 1_000

_CLEAN = r"^[^\x00-\x1f\x7f-\x9f]*$(?!\n)"
Text = Annotated[str, Meta(min_length=1, max_length=MAX_TERM_CHARACTERS, pattern=_CLEAN)]
OptionalText = Annotated[str, Meta(max_length=MAX_TERM_CHARACTERS, pattern=_CLEAN)]


class Term(msgspec.Struct, frozen=True):
    """A term that recognisers misspell.

    Attributes:
        term: How it is written.
        sounds_like: Other spellings of its sound, which become the term wherever they are written.
    """

    term: Text
    sounds_like: Annotated[tuple[Text, ...], Meta(max_length=MAX_SOUNDS_LIKE)] = ()


class Replacement(msgspec.Struct, frozen=True, rename={"source": "from", "target": "to"}):
    """A text that is written in another way.

    Attributes:
        source: The text, in any case.
        target: What replaces it; empty to remove it.
    """

    source: Text
    target: OptionalText


class Vocabulary(msgspec.Struct, frozen=True):
    """Terms and replacements: ``{"terms": [{"term": ...}], "replacements": [{"from": ...}]}``."""

    terms: Annotated[tuple[Term, ...], Meta(max_length=MAX_TERMS)] = ()
    replacements: Annotated[tuple[Replacement, ...], Meta(max_length=MAX_REPLACEMENTS)] = ()
