"""How words sound, and how far apart two sounds are.

A sound is a string of one character for each speech sound, written as an English speaker reads the
word: recognisers spell an unknown name as a language's words are spelled. Endings and clusters of
German, French and Spanish names are read as such. Words in other scripts than Latin are their own
sound, letter by letter.

The distance of two sounds is an edit distance: similar sounds cost less than others, and vowels
less than consonants. It is a share of the longer sound, from 0 to 1.
"""

import re
import unicodedata

_LETTERS = str.maketrans(
    {
        **{"ß": "ss", "æ": "e", "œ": "e", "ø": "o", "ł": "l", "đ": "d", "ð": "th", "þ": "th"},
        **{"ñ": "ny", "ç": "s", "š": "sh", "č": "ch", "ž": "zh", "ş": "sh", "ć": "ch", "ś": "sh"},
        **{"ı": "i", "ğ": "", "’": "", "'": "", "ä": "e", "å": "o"},
    }
)
_RULES = tuple(
    (re.compile(pattern), sound)
    for pattern, sound in (
        (r"^(?:kn|gn|pn)", "n"),
        (r"^wr", "r"),
        (r"^ps", "s"),
        (r"^x", "s"),
        (r"^mc(?=[^aeiouy])", "mak"),
        (r"(?:eaux?|aux|ault|aud)$", "o"),
        (r"(?:tsch|tch|cz)", "C"),
        (r"(?:sch|sh|ti(?=on)|ci(?=an|ou)|si(?=on))", "S"),
        (r"ch(?=[rlmnst])|ck|cq|cc(?=[^eiy])", "k"),
        (r"ch", "C"),
        (r"zh", "S"),
        (r"dge?(?=[eiy])|dj|j", "J"),
        (r"g(?=[eiy])", "J"),
        (r"gh(?=[aeiou])|gu(?=[eiy])|gg", "g"),
        (r"gh", ""),
        (r"ph|pf", "f"),
        (r"th", "T"),
        (r"tz|zz|ts", "z"),
        (r"x", "ks"),
        (r"qu?", "k"),
        (r"sc(?=[eiy])|c(?=[eiy])", "s"),
        (r"c", "k"),
        (r"wh|w", "w"),
        (r"mb$", "m"),
        (r"(?<=[^aeiou])e$", ""),
        (r"ee|ea|ie|ei|ey", "i"),
        (r"oo|ou", "u"),
        (r"ai|ay|ae", "e"),
        (r"au|aw|oa|ow|oh", "o"),
        (r"eu|ew|ue|ui", "u"),
        (r"^y(?=[aeiou])|(?<=[aeiou])y(?=[aeiou])", "y"),
        (r"(?<=[^aeiou])y|(?<=[aeiou])y", "i"),
        (r"(?<=[aeiouy])h(?=[^aeiouy]|$)", ""),
        (r"(.)\1+", r"\1"),
    )
)
VOWELS = frozenset("aeiou")
_WEAK = frozenset("hwyr")
_NEAR = {
    0.2: ("pb", "td", "kg", "fv", "sz", "SJ", "CJ", "CS", "ei", "ou", "ao", "ae"),
    0.3: ("vw", "Tt", "Td", "Ts", "Tf", "sS", "zS", "zJ", "mn", "sC", "zC", "ai", "eo", "au"),
    0.4: ("bv", "Jy", "Jg", "Ck", "hk", "hJ", "eu", "iu", "io", "fp", "lr", "Sk"),
}
_SUBSTITUTION = {
    order: cost for cost, pairs in _NEAR.items() for pair in pairs for order in (pair, pair[::-1])
}
_VOWEL_INSERTION, _WEAK_INSERTION, _INSERTION = 0.4, 0.4, 0.8
_CLASSES = str.maketrans("pbtdTkgfvszJSCmnlr", "pptttkkffsssssnnlr", "aeiouhwy")


def is_latin(word: str) -> bool:
    """Return whether all letters of a word are Latin."""
    return all(
        ch.isascii() or not ch.isalpha() or "LATIN" in unicodedata.name(ch, "") for ch in word
    )


def sound_of(word: str) -> str:
    """Return how a word sounds; other characters than letters are silent."""
    word = word.lower()
    if not word.isascii():
        if not is_latin(word):
            return "".join(ch for ch in word if ch.isalnum())
        plain = unicodedata.normalize(
            "NFKD", unicodedata.normalize("NFC", word).translate(_LETTERS)
        )
        word = "".join(ch for ch in plain if ch.isascii())
    word = "".join(filter(str.isalnum, word))
    for pattern, sound in _RULES:
        word = pattern.sub(sound, word)
    return word


def skeleton_of(sound: str) -> str:
    """Return the classes of a sound's consonants, which recognisers confuse least."""
    return sound.translate(_CLASSES)


def distance(first: str, second: str, limit: float) -> float:
    """Return how far apart two sounds are, from 0 to 1; 1 if it is more than ``limit``."""
    if first == second:
        return 0.0
    longest = max(len(first), len(second))
    most = limit * longest
    if not first or not second or abs(len(first) - len(second)) * _VOWEL_INSERTION > most:
        return 1.0
    row = [0.0]
    for sound in second:
        row.append(row[-1] + _insertion(sound))
    for start, sound in enumerate(first):
        before, row = row, [row[0] + _insertion(sound)]
        delete = _insertion(sound)
        for at, other in enumerate(second):
            change = before[at]
            if sound != other:
                change += _substitution(sound, other) * (1 if start or at else 2)
            row.append(min(change, before[at + 1] + delete, row[at] + _insertion(other)))
        if min(row) > most:
            return 1.0
    return row[-1] / longest if row[-1] <= most else 1.0


def _insertion(sound: str) -> float:
    return (
        _VOWEL_INSERTION if sound in VOWELS else _WEAK_INSERTION if sound in _WEAK else _INSERTION
    )


def _substitution(sound: str, other: str) -> float:
    near = _SUBSTITUTION.get(sound + other)
    if near is not None:
        return near
    return 0.4 if sound in VOWELS and other in VOWELS else 1.0
