"""The capital letter at the beginning of a sentence, and the full stop at its end.

A recogniser writes sentences. Text that is inserted into a sentence begins in lower case, except
names; messages often end without a full stop. Which words are names is unknown: words of the
option, "I", and words with further capitals or digits keep theirs. German writes nouns with
capitals, so only words that can't be nouns lose theirs.
"""

import msgspec

from auricle.text.edits import Edit, core

_STOPS = ".。．।"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ABBREVIATIONS = _words("approx bzw ca co corp dept dr etc inc jr ltd mr mrs ms prof sr st usw vs")
"""Words that are written with a full stop."""
_TURKIC = ("az", "tr")
_GERMAN = ("de", "lb")
_GERMAN_WORDS = _words(
    "aber alle alles als also am an andere auch auf aus bei beim bevor bis bitte bleibt da dabei "
    "dafür damit dann daran darauf darf darum das dass dein deine dem den denn der des deshalb die "
    "dies diese diesen dieser dieses doch dort du durch ein eine einem einen einer eines er es "
    "etwas euch euer eure falls für gegen gibt hab habe haben hast hat hatte hier hinter ich ihm "
    "ihn im immer in ins ist ja jede jeden jeder jedes jetzt kann kein keine können könnte leider "
    "man manche mehr mein meine mich mir mit muss müssen nach nachdem natürlich neben nein nicht "
    "nichts noch nun nur ob obwohl oder ohne schon sehr seine seit sich sind so sobald soll sollte "
    "sondern sonst trotzdem um und uns unser unsere unter viele vielleicht vom von vor wann war "
    "waren warum was weil weiter welche wenn wer werden wie wieder will wir wird wo wurde während "
    "würde zu zum zur zwar zwischen über"
)


class Style(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How results are written.

    Attributes:
        capitalize: Whether they begin with a capital letter, as sentences do.
        final_period: Whether they end with a full stop, as sentences do.
        names: Words that keep their capital letter.
    """

    capitalize: bool = True
    final_period: bool = True
    names: tuple[str, ...] = ()


def phrase_edits(
    text: str, style: Style, names: frozenset[str], language: str | None
) -> list[Edit]:
    """Return the changes of a text, in order.

    Args:
        text: The text of a final, or of a whole file.
        style: How it is to be written.
        names: The names of the style.
        language: Its language; ``None`` if it is unknown.
    """
    edits = [] if style.capitalize else _lowered(text, names, language)
    return edits if style.final_period else edits + _unstopped(text)


def _lowered(text: str, names: frozenset[str], language: str | None) -> list[Edit]:
    word = core(next(iter(text.split(maxsplit=1)), ""))
    if word in names or not _begins_as_a_sentence(word, language):
        return []
    is_dotless = word[0] == "I" and language in _TURKIC
    at = text.index(word)
    return [Edit(at, at + 1, "ı" if is_dotless else word[0].lower())]


def _begins_as_a_sentence(word: str, language: str | None) -> bool:
    """Return whether only the beginning of a sentence gives a word its capital letter."""
    if not word[:1].isupper() or len(word[0].lower()) > 1:
        return False
    if any(letter.isupper() or letter.isdigit() for letter in word[1:]):
        return False
    if language in _GERMAN:
        return word.lower() in _GERMAN_WORDS
    return word.replace("’", "'").partition("'")[0] != "I" or language in (*_TURKIC, "it")


def _unstopped(text: str) -> list[Edit]:
    end = len(text.rstrip())
    if end < 2 or text[end - 1] not in _STOPS or text[end - 2] in f"{_STOPS}…?!":
        return []
    word = next(iter(text[: end - 1].rsplit(maxsplit=1)[-1:]), "")
    if any(stop in word for stop in _STOPS) or word.lower() in _ABBREVIATIONS:
        return []
    return [Edit(end - 2, end, text[end - 2])]
