"""Tools that transcribe a recording: a file below a folder, or audio in the call."""

import base64
import os
import stat
import uuid
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import anyio
from msgspec import Meta

from auricle.client.api import calls
from auricle.client.api.audio import AudioInput, open_audio
from auricle.client.api.options import JobOptions
from auricle.mcp.jobs import watch
from auricle.mcp.tool import Api, Arguments, Language, Tool, WaitS
from auricle.values.errors import BadRequest, NotFound
from auricle.values.limits import MAX_FILE_NAME_CHARACTERS, FileName

MAX_AUDIO_BYTES = 350_000
"""Audio in a call: its Base64 fits the largest body of ``/mcp``."""
_NOT_THERE = "There is no such recording below the folder that the agent may use."


class Options(Arguments, kw_only=True):
    """What both tools have in common."""

    language: Language = None
    speakers: Annotated[bool, Meta(description="Whether to say who speaks when.")] = False
    num_speakers: Annotated[
        Annotated[int, Meta(ge=1, le=16)] | None,
        Meta(description="Number of speakers, if it is known; only with speakers."),
    ] = None
    wait_s: WaitS = 30


class FileArguments(Options, kw_only=True):
    """The arguments of ``transcribe_file``."""

    path: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=4096,
            description="Path of the recording or film, in any common format: absolute, or below "
            "the folder of recordings.",
        ),
    ]


class AudioArguments(Options, kw_only=True):
    """The arguments of ``transcribe_audio``."""

    audio_base64: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=(MAX_AUDIO_BYTES + 2) // 3 * 4,
            description=f"A whole file in any common format, at most {MAX_AUDIO_BYTES} bytes, as "
            "Base64.",
        ),
    ]
    file_name: Annotated[FileName, Meta(description="Its name, for lists of jobs.")] = ""


def file_tool(folder: Path) -> Tool[FileArguments]:
    """Return the tool that transcribes files below a folder, and no others."""

    async def run(api: Api, arguments: FileArguments) -> dict[str, Any]:
        file = await anyio.to_thread.run_sync(open_below, folder, arguments.path)
        with file:
            return await _transcribe(api, file, Path(arguments.path).name, arguments)

    return Tool(
        "transcribe_file",
        "Transcribe a file",
        f"Transcribe a recording or a film on this machine, below {folder}. It becomes a job of "
        "the server: the result has its job_id and, if it has ended within wait_s, its transcript. "
        "If the state is queued or running, call read_job with this job_id until it is done. Do "
        "not send the same file again meanwhile.",
        FileArguments,
        run,
        is_reading=False,
    )


async def _audio(api: Api, arguments: AudioArguments) -> dict[str, Any]:
    try:
        audio = base64.b64decode("".join(arguments.audio_base64.split()), validate=True)
    except ValueError:
        raise BadRequest("audio_base64 is not Base64.", "audio_base64") from None
    return await _transcribe(api, audio, arguments.file_name, arguments)


AUDIO_TOOL = Tool(
    "transcribe_audio",
    "Transcribe audio",
    "Transcribe a short recording that is in the call. It becomes a job of the server: the result "
    "has its job_id and, if it has ended within wait_s, its transcript. If the state is queued or "
    "running, call read_job with this job_id until it is done. For a larger recording, POST it to "
    "/utterance?wait=0 of the server, whose response has a job_id.",
    AudioArguments,
    _audio,
    is_reading=False,
)


async def _transcribe(api: Api, audio: AudioInput, name: str, options: Options) -> dict[str, Any]:
    job_id = uuid.uuid4().hex
    query: JobOptions = {
        "language": options.language,
        "speakers": options.speakers,
        "num_speakers": options.num_speakers,
        "file_name": name[-MAX_FILE_NAME_CHARACTERS:] or None,
    }
    await api.send(calls.create_job(open_audio(audio), job_id, query))
    return await watch(api, job_id, options.wait_s)


def open_below(folder: Path, path: str) -> BinaryIO:
    """Open a regular file below a folder; nothing in a hidden folder or with a hidden name.

    Args:
        folder: The folder, which may be reached by links.
        path: An absolute path, or one below the folder; links that leave the folder are refused.

    Raises:
        NotFound: There is none. What lies elsewhere is not distinguished from what is missing.
    """
    try:
        within = folder.resolve(strict=True)
        found = (within / path).resolve(strict=True)
        parts = found.relative_to(within).parts
        if not any(part.startswith(".") for part in parts):
            flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
            file = os.fdopen(os.open(found, flags | getattr(os, "O_BINARY", 0)), "rb")
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return file
            file.close()
    except (OSError, ValueError, RuntimeError):  # ValueError: outside, or a null byte
        pass
    raise NotFound(_NOT_THERE)
