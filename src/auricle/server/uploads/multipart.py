"""``multipart/form-data``, taken apart as it comes in: the file goes to disk, fields are few.

The parser holds no more than a header line and a boundary's length; of a form's fields those that
are wanted are kept, within bounds, and all others are dropped as they come (RFC 7578).
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass

from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from auricle.errors import BadRequest
from auricle.server.uploads.spool import SpoolFile

FILE_FIELD = "file"

MAX_FIELD_BYTES = 256 * 1024
"""All fields together: the longest prompt and keywords that make sense, thrice."""
MAX_PARTS = 2000
MAX_UNREAD, MAX_UNREAD_BYTES = 50, 16
"""How many fields that nobody reads are reported, and how much of their values is looked at."""
MAX_BOUNDARY_CHARACTERS = 200  # RFC 2046 §5.1.1 allows 70

_AS_THEY_ARE = frozenset({"7bit", "8bit", "binary"})
"""Names for bytes that aren't encoded; all others are deprecated in forms (RFC 7578 §4.7)."""


def boundary_of(content_type: str) -> str:
    """Return what separates a form's parts.

    Raises:
        BadRequest: It isn't a form.
    """
    kind, options = parse_options_header(content_type)
    boundary: str = options.get("boundary", "")
    if kind != "multipart/form-data" or not 0 < len(boundary) <= MAX_BOUNDARY_CHARACTERS:
        raise BadRequest("Send a form: `Content-Type: multipart/form-data; boundary=…`.")
    return boundary


@dataclass(frozen=True, slots=True)
class FormParts:
    """What came in a form besides the file.

    Attributes:
        fields: Those that are wanted.
        unread: Names of some of the others, and how their values begin.
    """

    fields: dict[str, list[str]]
    unread: dict[str, str]


async def read_form_parts(
    boundary: str, body: AsyncIterator[bytes], file: SpoolFile, wanted: Collection[str]
) -> FormParts:
    """Return a form's fields by name, ``x[]`` and ``x[y]`` as ``x``; the file is written out.

    Args:
        boundary: From :func:`boundary_of`.
        body: Chunk by chunk; it is read to its end.
        file: Takes the bytes of the part named ``file``.
        wanted: The fields that are kept.

    Raises:
        BadRequest: It is no form, it breaks off, or there is no file or more than one.
        Overloaded: The disk is full.
    """
    form = _Form(file, frozenset(wanted))
    try:
        # A boundary or a name that isn't ASCII comes as it was sent.
        parser = PushMultipartParser(
            boundary.encode("latin-1", "replace"), max_segment_count=MAX_PARTS
        )
        async for chunk in body:
            for event in parser.parse(chunk):
                await form.receive(event)
        parser.close()
    except (MultipartError, UnicodeError):
        raise BadRequest("The form can't be read, or it breaks off.") from None
    return form.result()


class _Form:
    """What has come of one form."""

    def __init__(self, file: SpoolFile, wanted: frozenset[str]) -> None:
        self._file = file
        self._wanted = wanted
        self._fields: dict[str, list[str]] = defaultdict(list)
        self._name = ""
        self._value = bytearray()
        self._unread: dict[str, str] = {}
        self._kept_bytes = self._files = 0

    async def receive(self, event: MultipartSegment | bytes | None) -> None:
        """Take a part's head, some of its bytes, or its end."""
        if isinstance(event, MultipartSegment):
            self._begin_part(event)
        elif event is None:
            self._end_part()
        elif self._name == FILE_FIELD:
            await self._file.write(event)
        elif self._name in self._wanted:
            self._kept_bytes += len(event)
            if self._kept_bytes > MAX_FIELD_BYTES:
                raise BadRequest("The form's fields are too long.", self._name)
            self._value += event
        elif len(self._value) < MAX_UNREAD_BYTES:
            self._value += event[:MAX_UNREAD_BYTES]

    def _begin_part(self, part: MultipartSegment) -> None:
        self._name = (part.name or "").partition("[")[0]
        self._files += self._name == FILE_FIELD
        if self._files > 1:
            raise BadRequest("There is more than one file in the form.", FILE_FIELD)
        encoding = part.header("Content-Transfer-Encoding", "binary").strip().lower()
        if encoding not in _AS_THEY_ARE and self._name in self._wanted | {FILE_FIELD}:
            raise BadRequest(
                "Send the parts of a form as they are, without Content-Transfer-Encoding.",
                self._name,
            )

    def _end_part(self) -> None:
        if self._name in self._wanted:
            try:
                self._fields[self._name].append(self._value.decode())
            except UnicodeDecodeError:
                raise BadRequest(f"{self._name} is not UTF-8.", self._name) from None
        elif self._name != FILE_FIELD and len(self._unread) < MAX_UNREAD:
            self._unread[self._name] = self._value.decode(errors="replace")
        self._value = bytearray()

    def result(self) -> FormParts:
        """Return the fields."""
        if not self._files:
            raise BadRequest("There is no file in the form.", FILE_FIELD)
        return FormParts(dict(self._fields), self._unread)
