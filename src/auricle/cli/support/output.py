"""Output formats and files of ``auricle transcribe`` and ``live``."""

import enum
import json
import os
from collections.abc import Collection, Sequence
from pathlib import Path

from auricle.atomic_file import replacing
from auricle.errors import SetupError
from auricle.files.transcribe import FileTranscript
from auricle.protocol.gaps import text_with_gaps
from auricle.protocol.native.utterance import transcript_body
from auricle.protocol.rttm import to_rttm
from auricle.protocol.subtitle_layout import USUAL, SubtitleLimits
from auricle.protocol.subtitles import to_srt, to_vtt


class OutputFormat(enum.StrEnum):
    """Output format of a transcript."""

    TEXT = "text"
    JSON = "json"
    SRT = "srt"
    VTT = "vtt"
    RTTM = "rttm"

    @property
    def is_subtitles(self) -> bool:
        """Whether it is a format of subtitles."""
        return self in (OutputFormat.SRT, OutputFormat.VTT)

    @property
    def suffix(self) -> str:
        """Return the suffix of a file of this format."""
        return ".txt" if self is OutputFormat.TEXT else f".{self.value}"


def render(
    result: FileTranscript,
    output_format: OutputFormat,
    without: Collection[str] = (),
    limits: SubtitleLimits = USUAL,
    name: str = "audio",
) -> str:
    """Return the transcript in a format, with a newline at its end.

    Args:
        result: The transcript.
        output_format: The format.
        without: Fields of the JSON document to omit, since their values are unknown.
        limits: Limits of a subtitle's size.
        name: Name of the recording, for RTTM.
    """
    transcript, gaps = result.transcript, result.gaps
    match output_format:
        case OutputFormat.TEXT:
            return text_with_gaps(transcript, gaps) + "\n"
        case OutputFormat.SRT:
            return to_srt(transcript.segments, gaps, limits, transcript.speakers)
        case OutputFormat.VTT:
            return to_vtt(transcript.segments, gaps, limits, transcript.speakers)
        case OutputFormat.RTTM:
            return to_rttm(transcript.segments, transcript.speakers, name)
        case OutputFormat.JSON:
            return json.dumps(document(result, without), ensure_ascii=False, indent=2) + "\n"


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
        SetupError: The output of several files needs a folder, or would overwrite a file.
    """
    if output is None:
        if len(files) > 1 and output_format in (OutputFormat.SRT, OutputFormat.VTT):
            raise SetupError("Subtitles of several files need a folder: -o FOLDER")
        return [None] * len(files)
    target = Path(output)
    if len(files) == 1 and not target.is_dir() and not output.endswith(("/", os.sep)):
        _check_not_input(files[0], target)
        return [target]
    if target.exists() and not target.is_dir():
        raise SetupError(f"{output} is a file; several transcripts need a folder: -o FOLDER")
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
    folder = next(parent for parent in target.absolute().parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise SetupError(f"{target} can't be written: no write permission in {folder}.")


def _check_not_input(file: Path, target: Path) -> None:
    if target.exists() and file.exists() and target.samefile(file):
        raise SetupError(f"{target} is the recording itself; choose another output file.")


def write(text: str, target: Path) -> None:
    """Write a transcript to a file atomically; on an error the old file remains.

    Raises:
        SetupError: The file can't be written.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with replacing(target) as file:
            file.write(text.encode())
    except OSError as exc:
        raise SetupError(f"{target} can't be written: {exc.strerror or exc}.") from exc
