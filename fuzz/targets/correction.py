"""A vocabulary and a text: the first line has the terms, the second one the text."""

from collections.abc import Iterator, Sequence

from auricle.text.edits import Edit, edited_text, edited_words, text_of
from auricle.text.filters.correction.filter import Correction
from auricle.text.filters.correction.options import Replacement, Term, Vocabulary
from auricle.text.filters.correction.rules import Corrector
from auricle.values.types import Word
from fuzz.mutation import blind, script_mutation
from fuzz.target import Target

MODULES = ("auricle.text.filters.correction",)
_MAX_TERMS = 40
_MAX_PARTIALS = 12
_MAX_GROWING = 1000
_WORDS = (
    *("Kubernetes", "cube", "ernetes", "cube-ernetes", "kubernetis's", "Digique Plus", "digeek"),
    *("plus,", "C++", "c++.", "[NUMBER]", "new", "gate", "Newgate", "10", "11", "Œrsted", "ersted"),
    *(
        "um,",
        "Um.",
        "yes,",
        "um",
        "UM",
        "A",
        "é",
        "使用",
        "Ж",
        "кубернетес",
        "\u0301",
        "’s",
        "-",
        "İ",
        "ß",
        "\n",
    ),
)


def run(data: bytes) -> None:
    """Correct the text: whole, and as it grows."""
    first, _, rest = data.decode(errors="ignore").partition("\n")
    names = [name[:100] for name in first.split(";") if name][:_MAX_TERMS]
    terms = tuple(Term(name, (name[::-1],)) for name in names[1:])
    vocabulary = Vocabulary(terms, tuple(Replacement(name, "") for name in names[:1]))
    text = " ".join(rest.split())
    for is_english in (True, False):
        _check_edits(text, Corrector(vocabulary).edits(text, is_english=is_english))
    if len(text) <= _MAX_GROWING:
        for language in ("en", "de", None):
            _check_partials(vocabulary, text.split(), language)


def _check_edits(text: str, edits: list[Edit]) -> None:
    ends = [0, *(edit.end for edit in edits)]
    assert all(end <= edit.start < edit.end for end, edit in zip(ends, edits, strict=False))
    timed = [
        Word(at, at + 1, word if at == 0 else f" {word}", 0.5)
        for at, word in enumerate(text.split())
    ]
    assert text_of(edited_words(timed, edits)) == edited_text(text, edits)
    assert all("[NUMBER]" not in text[edit.start : edit.end] for edit in edits)


def _check_partials(vocabulary: Vocabulary, words: Sequence[str], language: str | None) -> None:
    correction = Correction(Corrector(vocabulary))
    whole = correction.final(" ".join(words), None, language)[0]
    before = ""
    for count in range(1, len(words) + 1, max(1, len(words) // _MAX_PARTIALS)):
        stable, rest = " ".join(words[:count]), "".join(f" {word}" for word in words[count:])
        shown, unstable = correction.partial(stable, rest, language)
        assert shown.startswith(before), f"{before!r} became {shown!r}"
        assert shown + unstable == whole
        before = shown


def split(data: bytes) -> list[bytes]:
    """Return the terms, and the words."""
    first, _, rest = data.partition(b"\n")
    return [first, *rest.split()]


def join(parts: Sequence[bytes]) -> bytes:
    """Make a script of them again."""
    return (parts[0] if parts else b"") + b"\n" + b" ".join(parts[1:])


def seeds() -> Iterator[bytes]:
    """Give names that are recognised as several words, removed words, and other scripts."""
    yield "um;Kubernetes;Digique Plus;Ørsted\nUm cube ernetes, Digeek plus and um ersted's".encode()
    yield b"a;Newgate;Windows 11;C++\nthe new gate of Windows 10 in c++ is [NUMBER]"
    yield b"um;a b c d;the new deal\nUm, so a b, um, um. Um um yes, um. a new deal [NUMBER], um"
    yield "使;Кубернетес;用\n使用Kubernetes кубернетис".encode()


TARGET = Target(
    run,
    seeds,
    script_mutation(split, join, (blind,), tuple(word.encode() for word in _WORDS)),
    words=tuple(word.encode() for word in _WORDS),
    max_bytes=400,
    loop_bytes=2**13,
)
