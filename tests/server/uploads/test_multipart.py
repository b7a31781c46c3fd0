from collections.abc import AsyncIterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auricle.server.uploads.multipart import (
    MAX_FIELD_BYTES,
    MAX_PARTS,
    boundary_of,
    read_form_parts,
)
from auricle.server.uploads.spool import SpoolFile
from auricle.values.errors import BadRequest

pytestmark = pytest.mark.unit

BOUNDARY = "b0undary"
WANTED = frozenset({"model", "keywords"})


class File(SpoolFile):
    """A file that keeps what is written to it."""

    def __init__(self) -> None:
        self.content = b""
        self.largest = 0

    async def write(self, chunk: bytes | bytearray | memoryview) -> None:
        self.content += chunk
        self.largest = max(self.largest, len(chunk))


def part(name: str, value: bytes, filename: str | None = None, encoding: str = "") -> bytes:
    head = f"--{BOUNDARY}\r\n"
    head += f"Content-Transfer-Encoding: {encoding}\r\n" if encoding else ""
    head += f'Content-Disposition: form-data; name="{name}"'
    head += "" if filename is None else f'; filename="{filename}"\r\nContent-Type: audio/wav'
    return head.encode() + b"\r\n\r\n" + value + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


AUDIO = bytes(range(256)) + b"\r\n--b0undar\r\n" * 3
FORM = form(
    part("model", b"whisper-1"),
    part("keywords[]", "Zoë".encode()),
    part("file", AUDIO, "a.wav"),
    part("ignored", b"x" * 1000),
    part("keywords", b"Opus"),
)
FIELDS = {"model": ["whisper-1"], "keywords": ["Zoë", "Opus"]}


async def read(
    chunks: Sequence[bytes], boundary: str = BOUNDARY
) -> tuple[dict[str, list[str]], File]:
    async def body() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    file = File()
    return (await read_form_parts(boundary, body(), file, WANTED)).fields, file


@given(cuts=st.lists(st.integers(0, len(FORM)), max_size=12).map(sorted))
async def test_any_split_gives_the_same_fields_and_file(cuts: list[int]) -> None:
    ends = [0, *cuts, len(FORM)]
    chunks = [FORM[start:end] for start, end in zip(ends, ends[1:], strict=False) if start < end]
    fields, file = await read(chunks)
    assert (fields, file.content) == (FIELDS, AUDIO)


async def test_the_file_may_have_another_name() -> None:
    async def body() -> AsyncIterator[bytes]:
        yield form(part("file", b"x"), part("audio_file", AUDIO, "a.wav"))

    file = File()
    parts = await read_form_parts(BOUNDARY, body(), file, (), file_field="audio_file")
    assert (file.content, parts.unread) == (AUDIO, {"file": "x"})
    with pytest.raises(BadRequest, match="send it as `audio_file`"):
        await read_form_parts(BOUNDARY, _none(), File(), (), file_field="audio_file")


async def _none() -> AsyncIterator[bytes]:
    yield form(part("file", b"x"))


async def test_byte_by_byte_is_a_split_too() -> None:
    fields, file = await read([bytes([byte]) for byte in FORM])
    assert (fields, file.content) == (FIELDS, AUDIO)


@pytest.mark.parametrize("missing", [1, 5, 12, len(FORM) - 1, len(FORM)])
async def test_a_form_that_breaks_off_is_reported(missing: int) -> None:
    with pytest.raises(BadRequest, match="truncated"):
        await read([FORM[: -missing - 2]])


@given(st.binary(max_size=200), st.integers(0, len(FORM)))
async def test_rubbish_is_the_senders_fault(rubbish: bytes, at: int) -> None:
    try:
        fields, _ = await read([FORM[:at] + rubbish + FORM[at:]])
    except BadRequest:
        return
    assert set(fields) <= WANTED


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (form(part("model", b"whisper-1")), "file"),
        (form(part("file", b"a"), part("file", b"b")), "file"),
        (form(part("file", b"a"), part("model", b"\xff")), "model"),
        (form(part("model", b"x" * (MAX_FIELD_BYTES + 1)), part("file", b"a")), "model"),
        (form(*[part("keywords[]", b"x" * 200)] * 1400, part("file", b"a")), "keywords"),
        (form(*[part("x", b"")] * (MAX_PARTS + 1), part("file", b"a")), None),
        (form(part("x" * 10_000, b""), part("file", b"a")), None),
        (form(b"--b0undary\r\nno header\r\n\r\n"), None),
        (form(part("file", b"UklGRg==", "a.wav", "Base64")), "file"),
        (form(part("model", b"=61", encoding="quoted-printable"), part("file", b"a")), "model"),
    ],
    ids=[
        "no file",
        "two",
        "no text",
        "long",
        "many long",
        "many",
        "long name",
        "no header",
        "base64",
        "quoted",
    ],
)
async def test_a_form_that_can_not_be_used_is_reported_with_the_field(
    body: bytes, field: str | None
) -> None:
    with pytest.raises(BadRequest) as raised:
        await read([body])
    assert raised.value.field == field


async def test_what_is_not_wanted_costs_no_memory() -> None:
    fields, file = await read(
        [form(part("speakers", bytes(9 * MAX_FIELD_BYTES)), part("file", b"a"))]
    )
    assert (fields, file.content) == ({}, b"a")


@pytest.mark.parametrize("encoding", ["binary", "8BIT", "7bit"])
async def test_bytes_may_be_called_what_they_are(encoding: str) -> None:
    assert (await read([form(part("file", AUDIO, "a.wav", encoding))]))[1].content == AUDIO
    ignored = part("speakers", b"YQ==", encoding="base64")
    assert (await read([form(ignored, part("file", b"a"))]))[1].content == b"a"


@pytest.mark.parametrize("boundary", ["x", "a'b(c)d+e_f,g-h./:=?", "b" * 200])
def test_boundaries_are_found(boundary: str) -> None:
    assert boundary_of(f'Multipart/Form-Data; charset=utf-8; boundary="{boundary}"') == boundary


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "audio/wav",
        "application/json",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/mixed; boundary=x",
        f"multipart/form-data; boundary={'b' * 201}",
    ],
)
def test_an_invalid_form_is_reported(content_type: str) -> None:
    with pytest.raises(BadRequest, match="Expected a form"):
        boundary_of(content_type)


async def test_a_strange_boundary_is_only_never_found() -> None:
    with pytest.raises(BadRequest):
        await read([FORM], "\u20ac\n")
