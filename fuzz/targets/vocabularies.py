"""A vocabulary as JSON or CSV, as a request sends it, and requests that use it."""

from collections.abc import Iterator

from auricle.text.filters.registry import open_filters
from auricle.values.errors import BadRequest
from auricle.values.limits import are_valid_hotwords
from auricle.values.types import Options
from auricle.vocabularies import csv_format
from auricle.vocabularies.content import Content, wording_of
from auricle.vocabularies.routes import parsed
from fuzz.target import Target

MODULES = ("auricle.vocabularies.content", "auricle.vocabularies.csv_format")
_WORDS = (
    *(b'{"terms":[', b'{"term":"x","sounds_like":["y","z"]}', b'"replacements":['),
    *(b'{"from":"a","to":""}', b"term,sounds_like,replaces\n", b";", b",", b'"', b"\n"),
    *(b"\xef\xbb\xbf", "Ørsted".encode()),
)


def run(data: bytes) -> None:
    """Read a vocabulary; what is accepted is CSV, and no request fails because of it."""
    is_csv, body = data[:1] == b"c", data[1:]
    try:
        content, _ = parsed(body, is_csv)
    except BadRequest:
        return
    again = csv_format.decode(csv_format.encode(content))
    assert again.terms == content.terms
    assert set(again.replacements) == set(content.replacements)
    assert Content.of(content.terms, content.replacements) == Content(
        content.terms, content.replacements
    )
    words = tuple(line[:100] for line in body.decode(errors="replace").split(",")[:50])
    for options in (Options(), Options(hotwords=words), Options(initial_prompt=",".join(words))):
        wording = wording_of(content, options)
        assert are_valid_hotwords(wording.applied(options).hotwords[:500])
        open_filters(wording.filters).final(" ".join(words), None, "en")


def seeds() -> Iterator[bytes]:
    """Give both formats."""
    yield b'j{"terms":["Zyntrix",{"term":"x","sounds_like":["y"]}]}'
    yield b'j{"terms":[],"replacements":[{"from":"a","to":"b"}],"default":true}'
    yield b"cterm,sounds_like,replaces\nZyntrix,sin tricks;zin tricks,\nOK,,ok;okay\n"
    yield 'cŁódź\r\n"Smith, Bo"\r\n,,um\r\n'.encode()


TARGET = Target(run, seeds, words=_WORDS, max_bytes=600, loop_bytes=2**14)
