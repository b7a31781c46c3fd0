"""The rest of a final, of which a client already has the beginning."""

from difflib import SequenceMatcher

from auricle.text.formats.spoken_words import plain

_MAX_SHIFT = 2
"""Words by which a final may be longer or shorter than the stable text that it begins with. In a
wider range, a frequent word is found in the wrong place."""


def text_after(text: str, said: str, *, is_spaceless: bool = False) -> str:
    """Return the rest of a text after words that it begins with, perhaps in another form.

    A final has the words of the stable text before it, with other capitals and punctuation; rarely
    it has other words.

    Args:
        text: The text.
        said: Its beginning, as it was known before.
        is_spaceless: Whether the language has no spaces between words.
    """
    if text.startswith(said):
        return text[len(said) :].strip()
    words, before = _units(text, is_spaceless=is_spaceless), _units(said, is_spaceless=is_spaceless)
    keys, keys_before = [plain(word) for word in words], [plain(word) for word in before]
    matcher = SequenceMatcher(None, keys_before, keys[: len(before) + _MAX_SHIFT], autojunk=False)
    *blocks, _ = matcher.get_matching_blocks()
    end = len(before)
    if blocks:
        end += blocks[-1].b - blocks[-1].a
    return ("" if is_spaceless else " ").join(words[end:])


def _units(text: str, *, is_spaceless: bool) -> list[str]:
    return list(text) if is_spaceless else text.split()
