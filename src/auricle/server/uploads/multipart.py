"""Streaming parser for ``multipart/form-data`` (RFC 7578) that writes the file to disk.

The parser buffers no more than a header line and a boundary. Requested fields are kept, within
limits; all other fields are discarded as they arrive.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass

from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from auricle.server.uploads.spool import SpoolFile
from auricle.values.errors import BadRequest

FILE_FIELD = "file"

MAX_FIELD_BYTES = 256 * 1024
"""Maximum size of all fields together: three times the longest useful prompt and keywords."""
MAX_LARGE_FIELD_BYTES = 12_000_000
"""Maximum size of large fields together: four recordings of 10 s in 48 kHz stereo, in base64."""
MAX_PARTS = 2000
MAX_UNREAD, MAX_UNREAD_BYTES = 50, 16
"""Maximum number of ignored fields to report, and bytes to keep of each value."""
MAX_BOUNDARY_CHARACTERS = 200  # RFC 2046 §5.1.1 allows 70

_AS_THEY_ARE = frozenset({"7bit", "8bit", "binary"})
"""Transfer encodings that leave bytes as they are; others are deprecated (RFC 7578 §4.7)."""


def boundary_of(content_type: str) -> str:
    """Return the boundary between a form's parts.

    Raises:
        BadRequest: The content type isn't a form with a valid boundary.
    """
    kind, options = parse_options_header(content_type)
    boundary: str = options.get("boundary", "")
    if kind != "multipart/form-data" or not 0 < len(boundary) <= MAX_BOUNDARY_CHARACTERS:
        raise BadRequest("Expected a form: `Content-Type: multipart/form-data; boundary=…`.")
    return boundary


@dataclass(frozen=True, slots=True)
class FormParts:
    """The fields of a form, without the file.

    Attributes:
        fields: Values of the requested fields, by name.
        unread: Names of some ignored fields, with the first bytes of their values.
    """

    fields: dict[str, list[str]]
    unread: dict[str, str]


async def read_form_parts(
    boundary: str,
    body: AsyncIterator[bytes],
    file: SpoolFile,
    names: Collection[str],
    large_names: Collection[str] = (),
    file_field: str = FILE_FIELD,
) -> FormParts:
    """Read a form and return its fields by name (``x[]`` and ``x[y]`` as ``x``).

    Args:
        boundary: From :func:`boundary_of`.
        body: The body's chunks; read to the end.
        file: Receives the content of the part named ``file_field``.
        names: Names of the fields to keep.
        large_names: Those of them that may be large, such as recordings in base64.
        file_field: Name of the part that is the file.

    Raises:
        BadRequest: The form is malformed or truncated, or it doesn't have exactly one file.
        LedgerFull: The disk is full.
    """
    form = _Form(file, file_field, frozenset(names), frozenset(large_names))
    try:
        # Headers are decoded as latin-1, so this restores the boundary's original bytes.
        parser = PushMultipartParser(
            boundary.encode("latin-1", "replace"), max_segment_count=MAX_PARTS
        )
        async for chunk in body:
            for event in parser.parse(chunk):
                await form.receive(event)
        parser.close()
    except (MultipartError, UnicodeError):
        raise BadRequest("The form is malformed or truncated.") from None
    return form.result()


class _Form:
    """Collects the parts of one form."""

    def __init__(
        self,
        file: SpoolFile,
        file_field: str,
        names: frozenset[str],
        large_names: frozenset[str],
    ) -> None:
        self._file = file
        self._file_field = file_field
        self._names = names
        self._large_names = large_names
        self._fields: dict[str, list[str]] = defaultdict(list)
        self._name = ""
        self._value = bytearray()
        self._unread: dict[str, str] = {}
        self._kept_bytes = self._large_bytes = self._files = 0

    async def receive(self, event: MultipartSegment | bytes | None) -> None:
        """Handle the start of a part, a chunk of its content, or its end (``None``)."""
        if isinstance(event, MultipartSegment):
            self._begin_part(event)
        elif event is None:
            self._end_part()
        elif self._name == self._file_field:
            await self._file.write(event)
        elif self._name in self._large_names:
            self._large_bytes += len(event)
            self._keep(event, self._large_bytes, MAX_LARGE_FIELD_BYTES)
        elif self._name in self._names:
            self._kept_bytes += len(event)
            self._keep(event, self._kept_bytes, MAX_FIELD_BYTES)
        elif len(self._value) < MAX_UNREAD_BYTES:
            self._value += event[:MAX_UNREAD_BYTES]

    def _keep(self, part: bytes, total_bytes: int, max_bytes: int) -> None:
        if total_bytes > max_bytes:
            raise BadRequest(f"The form's fields exceed {max_bytes} bytes in total.", self._name)
        self._value += part

    def _begin_part(self, part: MultipartSegment) -> None:
        self._name = (part.name or "").partition("[")[0]
        self._files += self._name == self._file_field
        if self._files > 1:
            raise BadRequest("The form has more than one file; send one.", self._file_field)
        encoding = part.header("Content-Transfer-Encoding", "binary").strip().lower()
        if encoding not in _AS_THEY_ARE and self._name in self._names | {self._file_field}:
            raise BadRequest(
                "Content-Transfer-Encoding is not supported; send the form's parts unencoded.",
                self._name,
            )

    def _end_part(self) -> None:
        if self._name in self._names:
            try:
                self._fields[self._name].append(self._value.decode())
            except UnicodeDecodeError:
                raise BadRequest(f"{self._name} is not UTF-8.", self._name) from None
        elif self._name != self._file_field and len(self._unread) < MAX_UNREAD:
            self._unread[self._name] = self._value.decode(errors="replace")
        self._value = bytearray()

    def result(self) -> FormParts:
        """Return the fields; raise ``BadRequest`` if there was no file."""
        if not self._files:
            raise BadRequest(
                f"The form has no file; send it as `{self._file_field}`.", self._file_field
            )
        return FormParts(dict(self._fields), self._unread)
