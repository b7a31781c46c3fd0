"""Output formats and files of ``auricle transcribe`` and ``live``."""

import enum
import json
import os
from collections.abc import Collection, Sequence
from pathlib import Path

from auricle.files.transcribe import FileTranscript
from auricle.system.atomic_file import replacing
from auricle.text.formats.base import USUAL, SubtitleLimits
from auricle.text.formats.docx import to_docx
from auricle.text.formats.gaps import text_with_gaps
from auricle.text.formats.markdown import to_markdown
from auricle.text.formats.native_json import transcript_body
from auricle.text.formats.paragraphs import Paragraph, clock, paragraphs_of
from auricle.text.formats.registry import format_of
from auricle.text.formats.rttm import to_rttm
from auricle.values.errors import SetupError
from auricle.values.types import Transcript


class OutputFormat(enum.StrEnum):
    """Output format of a transcript."""

    TEXT = "text"
    JSON = "json"
    SRT = "srt"
    VTT = "vtt"
    DOCX = "docx"
    MARKDOWN = "md"
    RTTM = "rttm"

    @property
    def is_subtitles(self) -> bool:
        """Whether it is a format of subtitles."""
        return self in (OutputFormat.SRT, OutputFormat.VTT)

    @property
    def is_document(self) -> bool:
        """Whether a file has one transcript: several in a row are not of this format."""
        return self.is_subtitles or self in (OutputFormat.DOCX, OutputFormat.MARKDOWN)

    @property
    def suffix(self) -> str:
        """Return the suffix of a file of this format."""
        return ".txt" if self is OutputFormat.TEXT else f".{self.value}"


def chosen_format(output_format: OutputFormat | None, output: str | None) -> OutputFormat:
    """Return the output format: without an explicit one, the suffix of the output selects it.

    Args:
        output_format: The explicit format.
        output: The output file or folder; ``None`` is stdout.
    """
    if output_format is not None:
        return output_format
    suffix = Path(output or "").suffix.lower()
    return next((each for each in OutputFormat if each.suffix == suffix), OutputFormat.TEXT)


def check_supported(output_format: OutputFormat) -> None:
    """Check in advance that a transcript can be rendered.

    Raises:
        UnsupportedOption: This installation lacks the format.
    """
    if output_format.is_subtitles:
        format_of(output_format)


def content(
    result: FileTranscript,
    output_format: OutputFormat,
    without: Collection[str] = (),
    limits: SubtitleLimits = USUAL,
    name: str = "audio",
) -> str | bytes:
    """Return the content of a transcript's file; arguments are those of :func:`render`."""
    if output_format is OutputFormat.DOCX:
        transcript = result.transcript
        return to_docx(name, _note(transcript), _paragraphs(result), transcript.language)
    return render(result, output_format, without, limits, name)


def render(
    result: FileTranscript,
    output_format: OutputFormat,
    without: Collection[str] = (),
    limits: SubtitleLimits = USUAL,
    name: str = "audio",
) -> str:
    """Return the transcript as text of a format, with a newline at its end.

    Args:
        result: The transcript.
        output_format: The format.
        without: Fields of the JSON document to omit, since their values are unknown.
        limits: Limits of a subtitle's size.
        name: Name of the recording: the title of documents, and for RTTM.

    Raises:
        UnsupportedOption: This installation lacks the format.
        ValueError: The format is binary, see :func:`content`.
    """
    transcript, gaps = result.transcript, result.gaps
    match output_format:
        case OutputFormat.TEXT:
            return text_with_gaps(transcript, gaps) + "\n"
        case OutputFormat.SRT | OutputFormat.VTT as name:
            subtitles = format_of(name)
            return subtitles.document(transcript.segments, gaps, limits, transcript.speakers)
        case OutputFormat.MARKDOWN:
            return to_markdown(name, _note(transcript), _paragraphs(result))
        case OutputFormat.RTTM:
            return to_rttm(transcript.segments, transcript.speakers, name)
        case OutputFormat.JSON:
            return json.dumps(document(result, without), ensure_ascii=False, indent=2) + "\n"
        case OutputFormat.DOCX:
            raise ValueError("a Word document is not text")


def _note(transcript: Transcript) -> str:
    """Return what stands below a title: the length of the recording."""
    return clock(transcript.duration_samples)


def _paragraphs(result: FileTranscript) -> list[Paragraph]:
    transcript = result.transcript
    return paragraphs_of(transcript.segments, result.gaps, transcript.speakers, transcript.language)


def document(result: FileTranscript, without: Collection[str] = ()) -> dict[str, object]:
    """Return the transcript in the form of the server's responses, without the IDs of a request."""
    body = transcript_body("", "", result.transcript, result.gaps, result.warnings)
    left_out = ("job_id", "trace_id", "model", *without)
    return {name: value for name, value in body.items() if name not in left_out}


def destinations(
    files: Sequence[Path], output: str | None, output_format: OutputFormat
) -> list[Path | None]:
    """Return the output file of each file's transcript; ``None`` is stdout.

    For one file, ``output`` is a file, unless it is an existing folder or ends with a slash.

    Raises:
        SetupError: The output of several files needs a folder, would overwrite a recording, or
            can't be written.
    """
    if output is None:
        check_stdout(output_format)
        if len(files) > 1 and output_format.is_document:
            raise SetupError("Documents of several files need a folder: -o FOLDER")
        return [None] * len(files)
    target = Path(output)
    if len(files) == 1 and not target.is_dir() and not output.endswith(("/", os.sep)):
        check_target(files[0], target)
        return [target]
    if target.exists() and not target.is_dir():
        raise SetupError(f"{output} is a file; several transcripts need a folder: -o FOLDER")
    existing = next(path for path in (target, *target.absolute().parents) if path.exists())
    _check_folder(target, existing)
    stems = [file.stem for file in files]
    names = [file.stem if stems.count(file.stem) == 1 else file.name for file in files]
    if len(set(names)) < len(names):
        raise SetupError("Two files have the same name; transcribe them separately.")
    targets = [target / f"{name}{output_format.suffix}" for name in names]
    for file, target in zip(files, targets, strict=True):
        _check_not_input(file, target)
    return list(targets)


def check_target(file: Path | None, target: Path) -> None:
    """Check in advance that a transcript can be written to a file.

    Args:
        file: The recording, if any.
        target: The transcript's file.

    Raises:
        SetupError: The file can't be written.
    """
    if target.is_dir():
        raise SetupError(f"{target} is a folder; give a file: -o {target / 'captions.txt'}")
    if file is not None:
        _check_not_input(file, target)
    _check_folder(target, target.absolute().parent)


def check_stdout(output_format: OutputFormat) -> None:
    """Check that a format can be printed.

    Raises:
        SetupError: It is binary.
    """
    if output_format is OutputFormat.DOCX:
        raise SetupError("A Word document needs a file: -o FILE.docx")


def _check_folder(target: Path, folder: Path) -> None:
    if not folder.is_dir():
        raise SetupError(f"{target} can't be written: there is no folder {folder}.")
    if not os.access(folder, os.W_OK):
        raise SetupError(f"{target} can't be written: no write permission in {folder}.")


def _check_not_input(file: Path, target: Path) -> None:
    if target.exists() and file.exists() and target.samefile(file):
        raise SetupError(f"{target} is the recording itself; choose another output file.")


def write(text: str | bytes, target: Path) -> None:
    """Write a transcript to a file atomically, text as UTF-8; on an error the old file remains.

    Raises:
        SetupError: The file can't be written.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with replacing(target) as file:
            file.write(text.encode() if isinstance(text, str) else text)
    except OSError as exc:
        raise SetupError(f"{target} can't be written: {exc.strerror or exc}.") from exc
