"""What a vocabulary contains, and what it adds to a request. No I/O."""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Annotated, Self

import msgspec
from msgspec import Meta, structs

from auricle.text.filters.registry import FILTERS
from auricle.values.errors import BadRequest
from auricle.values.limits import MAX_HOTWORDS
from auricle.values.text_filters import FilterChoice
from auricle.values.types import Options
from auricle.values.wording import NO_WORDING, Wording

MAX_TERMS = 5000
MAX_REPLACEMENTS = 1000
MAX_SPELLINGS = 10
MAX_TERM_CHARACTERS = 100
MAX_WORDS_OF_LISTED_TERM = 4
"""A prompt is a list of terms if none of its items has more words."""
_JOINERS = "\u200c\u200d"
"""Zero-width characters that words of Persian and Sinhala have."""
SEPARATOR = ";"
"""Between texts of a list in CSV."""
MAX_NAMED_TERMS = 200
"""Terms of a request that are corrected: they are prepared when it begins, 0.1 ms each."""
MAX_CHARACTERS = 200_000
"""Characters of a vocabulary: a job keeps what its vocabulary adds."""
_SENTENCE_MARKS = frozenset(".?!…:;。？！")
CORRECTION = "correction"
"""The text filter that writes words which sound like a term as this term."""
PHRASES = "phrases"
"""The text filter that leaves out the marks of a sentence."""

_Text = Annotated[str, Meta(min_length=1, max_length=MAX_TERM_CHARACTERS)]


class Term(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A name or a word, and spellings of how it sounds or is misheard."""

    term: Annotated[_Text, Meta(description="As it is to be written.")]
    sounds_like: Annotated[
        tuple[_Text, ...],
        Meta(max_length=MAX_SPELLINGS, description="Spellings of how it sounds."),
    ] = ()


class Replacement(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"old": "from"}):
    """Words that are always written in another way."""

    old: Annotated[_Text, Meta(description="Words of a transcript, in any case.")]
    to: Annotated[
        Annotated[str, Meta(max_length=MAX_TERM_CHARACTERS)],
        Meta(description="What is written instead; empty: nothing."),
    ]


class Content(msgspec.Struct, frozen=True):
    """Terms and replacements, without repetitions, and the marks of sentences.

    Attributes:
        terms: The terms.
        replacements: The replacements.
        capitalize: Whether results begin with a capital letter.
        final_period: Whether results end with a full stop.
    """

    terms: tuple[Term, ...] = ()
    replacements: tuple[Replacement, ...] = ()
    capitalize: bool = True
    final_period: bool = True

    @classmethod
    def of(cls, terms: Iterable[Term | str], replacements: Iterable[Replacement] = ()) -> Self:
        """Return terms and replacements in normal form; the first of equal ones stays.

        Raises:
            BadRequest: A text has control characters or nothing but spaces, or there are too many.
        """
        known: dict[str, Term] = {}
        for each in terms:
            term = Term(each) if isinstance(each, str) else each
            text = _normal(term.term, "terms")
            spellings = dict.fromkeys(_part(each, "sounds_like") for each in term.sounds_like)
            if len(spellings) > MAX_SPELLINGS:
                raise BadRequest(f"A term has at most {MAX_SPELLINGS} spellings.", "sounds_like")
            known.setdefault(text.lower(), Term(text, tuple(spellings)))
        changes: dict[str, Replacement] = {}
        for change in replacements:
            old = _part(change.old, "replacements")
            to = _normal(change.to, "to") if change.to.strip() else ""
            changes.setdefault(old.lower(), Replacement(old, to))
        if len(known) > MAX_TERMS or len(changes) > MAX_REPLACEMENTS:
            raise BadRequest(
                f"A vocabulary has at most {MAX_TERMS} terms and {MAX_REPLACEMENTS} replacements."
            )
        texts = [each for term in known.values() for each in (term.term, *term.sounds_like)]
        texts += [each for change in changes.values() for each in (change.old, change.to)]
        if sum(map(len, texts)) > MAX_CHARACTERS:
            raise BadRequest(f"A vocabulary has at most {MAX_CHARACTERS} characters.")
        return cls(tuple(known.values()), tuple(changes.values()))

    def changed(
        self,
        added: Iterable[Term | str],
        removed: Iterable[str],
        replacements: Iterable[Replacement] = (),
        removed_replacements: Iterable[str] = (),
    ) -> Self:
        """Return the content with other terms and replacements.

        An added one that is spelled the same as one of these takes its place.

        Raises:
            BadRequest: As for :meth:`of`.
        """
        new = self.of(added, replacements)
        terms = {each.term.lower(): each for each in self.terms}
        changes = {each.old.lower(): each for each in self.replacements}
        for text in removed:
            terms.pop(_normal(text, "remove").lower(), None)
        for text in removed_replacements:
            changes.pop(_normal(text, "remove_replacements").lower(), None)
        terms |= {each.term.lower(): each for each in new.terms}
        changes |= {each.old.lower(): each for each in new.replacements}
        whole = self.of(terms.values(), changes.values())
        return structs.replace(self, terms=whole.terms, replacements=whole.replacements)


def wording_of(content: Content, options: Options, recent: Sequence[str] = ()) -> Wording:
    """Return what a vocabulary adds to a request.

    Args:
        content: The vocabulary.
        options: The options of the request, whose hot words and prompt may have further terms.
        recent: Terms of recent results, the latest first.
    """
    filters = tuple(each for each in _filters(content) if each.name in FILTERS)
    has_content = bool(content.terms or filters)
    wording = Wording(_hotwords(content.terms, recent), filters) if has_content else NO_WORDING
    return with_terms(wording, options)


def with_terms(wording: Wording, options: Options) -> Wording:
    """Return a wording that also corrects the terms that a request names.

    They have a separate filter, so that the one of a large vocabulary is prepared once.
    """
    terms = _terms_of(options)[:MAX_NAMED_TERMS]
    if not terms or CORRECTION not in FILTERS:
        return wording
    named = FilterChoice.of(CORRECTION, {"terms": [{"term": term} for term in terms]})
    return replace(wording, filters=(named, *wording.filters))


def _terms_of(options: Options) -> tuple[str, ...]:
    """Return the terms that a request names, without what can't be a term."""
    texts = (*options.hotwords, *listed_terms(options.initial_prompt or ""))
    terms = (" ".join(unicodedata.normalize("NFC", text).split()) for text in texts)
    return tuple(dict.fromkeys(term for term in terms if _is_term(term)))


def listed_terms(prompt: str) -> tuple[str, ...]:
    """Return the terms of a prompt that is a list of them: "Zyntrix, Digique Plus".

    Other prompts are text before the speech, whose words need not be said: those with the marks of
    sentences, and with an item of several words that begins in small letters.
    """
    items = [" ".join(item.split()) for item in prompt.replace("\n", ",").split(",")]
    items = [item for item in items if item]
    is_list = len(items) > 1 and all(
        len(words := item.split()) <= MAX_WORDS_OF_LISTED_TERM
        and len(item) <= MAX_TERM_CHARACTERS
        and not _SENTENCE_MARKS.intersection(item)
        and (len(words) == 1 or not item[0].islower())
        for item in items
    )
    return tuple(items) if is_list else ()


def _hotwords(terms: Sequence[Term], recent: Sequence[str]) -> tuple[str, ...]:
    spelled = {term.term: None for term in terms}
    first = [term for term in recent if term in spelled]
    return tuple(dict.fromkeys([*first, *spelled]))[:MAX_HOTWORDS]


def _filters(content: Content) -> Iterator[FilterChoice]:
    if content.terms or content.replacements:
        yield FilterChoice.of(CORRECTION, content)
    if not (content.capitalize and content.final_period):
        first = {term.term.split()[0] for term in content.terms}
        style = {"capitalize": content.capitalize, "final_period": content.final_period}
        yield FilterChoice.of(PHRASES, style | {"names": sorted(first)})


def _part(text: str, field: str) -> str:
    """Return a text in normal form that CSV has in a list."""
    if SEPARATOR in text:
        raise BadRequest(f"{field}: a text has no {SEPARATOR!r}, which separates them.", field)
    return _normal(text, field)


def _normal(text: str, field: str) -> str:
    normal = " ".join(unicodedata.normalize("NFC", text).split())
    if not _is_term(normal):
        raise BadRequest(
            f"{field}: each text must be printable, with 1 to {MAX_TERM_CHARACTERS} characters.",
            field,
        )
    return normal


def _is_term(text: str) -> bool:
    visible = "".join(each for each in text if each not in _JOINERS)
    return visible.isprintable() and visible != "" and len(text) <= MAX_TERM_CHARACTERS
