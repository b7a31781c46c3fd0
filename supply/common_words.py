"""Make the list of common English words from SCOWL, of Debian's package ``scowl``.

    python -m supply.common_words [/usr/share/dict/scowl] >FILE

Words up to level 35, which most small dictionaries have, in lower case; names of places, peoples
and well-known persons and the most frequent first and last names, up to level 50, capitalised.
Possessives are left out.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

SCOWL = Path("/usr/share/dict/scowl")
WORD_LEVELS, NAME_LEVELS = (10, 20, 35), (10, 35, 40, 50)


def _entries(directory: Path, kinds: tuple[str, ...], levels: tuple[int, ...]) -> Iterator[str]:
    for kind in kinds:
        for level in levels:
            path = directory / f"{kind}.{level}"
            if path.exists():
                yield from path.read_text("utf-8").split()


def common_words(directory: Path) -> list[str]:
    """Return the words in ASCII order, so that names are first."""
    varieties = ("english-words", "american-words", "british-words")
    words = {word.lower() for word in _entries(directory, varieties, WORD_LEVELS)}
    names = set(_entries(directory, ("english-upper", "english-proper-names"), NAME_LEVELS))
    listed = words | {name for name in names if name.lower() not in words}
    return sorted(word for word in listed if word.isascii() and word.isalpha())


if __name__ == "__main__":
    print("\n".join(common_words(Path(sys.argv[1]) if len(sys.argv) > 1 else SCOWL)))
