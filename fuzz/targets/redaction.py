"""Private data in a text: the first byte says what to hide, the rest is said word by word."""

from collections.abc import Iterator, Sequence

from auricle.text.edits import Edit, edited_text, edited_words, text_of
from auricle.text.filters.numerals.rules import numeral_edits
from auricle.text.filters.redaction.rules import open_digits, partial_edits, redaction_edits
from auricle.values.types import Redact, Word
from fuzz.mutation import blind, script_mutation
from fuzz.target import Target

MODULES = ("auricle.text",)
_KINDS = tuple(Redact)
_MAX_WORDS = 25
_WORDS = (
    *("one", "twenty", "hundred", "thousand", "double", "oh", "and", "point", "first", "uh", "a"),
    *("4111", "1111", "411111111111", "12/27", "123-45-6789", "(555)", "234-5678", "+49", "0176"),
    *("jane", "dot", "at", "@", "example.com", "jane@example.com", "com", "x", "DE89", "WEST"),
    *("security", "social", "expires", "card,", "—", "号码", "four,"),
)


def run(data: bytes) -> None:
    """Hide it: no beginning of it shows what the whole hides."""
    chosen = (data[:1] or b"\0")[0]
    kinds = [kind for bit, kind in enumerate(_KINDS) if chosen >> bit & 1]
    words = data[1:].decode(errors="ignore").split()[:_MAX_WORDS]
    before = "4111" if chosen & 0x80 else ""
    text = " ".join(words)
    hidden = redaction_edits(text, kinds, before=before, is_live=True)
    _check_edits(text, hidden, words)
    _check_edits(text, numeral_edits(text), words)
    assert open_digits(text, before=before).isdecimal() or not open_digits(text, before=before)
    secrets = {at for edit in hidden for at in _secret(text, edit)}
    for count in range(1, len(words) + 1):
        partial = " ".join(words[:count])
        covered = {
            at
            for edit in partial_edits(partial, kinds, before=before)
            for at in range(edit.start, edit.end)
        }
        shown = {at for at in secrets if at < len(partial)} - covered
        assert not shown, f"{partial!r} shows what {edited_text(text, hidden)!r} hides"


def _check_edits(text: str, edits: list[Edit], words: list[str]) -> None:
    ends = [0, *(edit.end for edit in edits)]
    assert all(end <= edit.start < edit.end for end, edit in zip(ends, edits, strict=False))
    timed = [
        Word(at, at + 1, word if at == 0 else f" {word}", 0.5) for at, word in enumerate(words)
    ]
    assert text_of(edited_words(timed, edits)) == edited_text(text, edits)


def _secret(text: str, edit: Edit) -> Iterator[int]:
    """Yield the places of what is hidden, without words that say nothing by themselves."""
    start = edit.start
    for word in ("double ", "triple ", "a "):
        if text[start : edit.end].lower().startswith(word):
            start += len(word)
    return (at for at in range(start, edit.end) if text[at].isalnum())


def split(data: bytes) -> list[bytes]:
    """Return the first byte, and the words."""
    return [data[:1], *data[1:].split()]


def join(parts: Sequence[bytes]) -> bytes:
    """Make a text of them again."""
    return (parts[0][:1] if parts else b"") + b" ".join(parts[1:])


def seeds() -> Iterator[bytes]:
    """Give a card, an account, and addresses."""
    for chosen in (b"\x1f", b"\x9f", b"\x01", b"\x08", b"\x10"):
        yield chosen + b"my card is 4111 1111, um 1111 1111 and jane dot doe at example dot com so"
        yield (
            chosen + b"DE89 3704 0044 0532 0130 00 or four triple one +49 30 1234567 (555) 234-5678"
        )


TARGET = Target(
    run,
    seeds,
    script_mutation(split, join, (blind,), tuple(word.encode() for word in _WORDS)),
    words=tuple(word.encode() for word in _WORDS),
    max_bytes=400,
    loop_bytes=2**14,
)
