"""``auricle voices``: the voices that a server knows for a key."""

import json
from pathlib import Path
from typing import Annotated

import typer

from auricle.cli.support.console import errors, results
from auricle.cli.support.server_commands import (
    ApiKey,
    AsJson,
    Output,
    ServerUrl,
    delete_each,
    local_time,
    open_server,
    print_or_write,
)
from auricle.values.errors import RequestError

_PATH = ("v1", "voices")

_Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the person.")]
_Id = Annotated[str, typer.Argument(metavar="ID", help="ID of the voice.")]
_Consent = Annotated[
    bool, typer.Option("--consent", help="The person has agreed that the voice is stored.")
]


def add(
    name: _Name,
    recording: Annotated[
        Path, typer.Argument(metavar="FILE", help="10 to 60 s of speech of this person only.")
    ],
    consent: _Consent = False,
    url: ServerUrl = None,
    api_key: ApiKey = None,
) -> None:
    """Store the voice of a person who has agreed to it, from a recording.

    Only an embedding is stored, not the recording. A voice is biometric data: ask the person first,
    and add --consent.
    """
    query = {"name": name, "consent": str(consent).lower()}
    with open_server(url, api_key) as server:
        _report(server.send("POST", *_PATH, query=query, audio=recording))


def remember(
    name: _Name,
    transcript_id: Annotated[str, typer.Argument(metavar="ID", help="ID of the transcript.")],
    speaker: Annotated[
        int, typer.Argument(metavar="SPEAKER", min=1, help="Number, as in the text.")
    ],
    consent: _Consent = False,
    url: ServerUrl = None,
    api_key: ApiKey = None,
) -> None:
    """Store the voice of a speaker of a recent transcript, who has agreed to it."""
    body = {
        "name": name,
        "consent": consent,
        "transcript": transcript_id,
        "speaker": speaker - 1,
    }
    with open_server(url, api_key) as server:
        _report(server.send("POST", *_PATH, json=body))


def rename(voice_id: _Id, name: _Name, url: ServerUrl = None, api_key: ApiKey = None) -> None:
    """Rename a voice, also in the transcripts that it is named in."""
    with open_server(url, api_key) as server:
        server.send("PATCH", *_PATH, voice_id, json={"name": name})


def delete(
    voice_ids: Annotated[list[str], typer.Argument(metavar="ID…", help="IDs of the voices.")],
    url: ServerUrl = None,
    api_key: ApiKey = None,
) -> None:
    """Delete voices, and their names in transcripts; this can't be undone.

    The others are still deleted if the server doesn't have one; the exit code is then 2.
    """
    with open_server(url, api_key) as server:
        delete_each(server, voice_ids, *_PATH)


def export(output: Output = None, url: ServerUrl = None, api_key: ApiKey = None) -> None:
    """Export all voices as JSON, with their embeddings, which are biometric data."""
    with open_server(url, api_key) as server:
        print_or_write(server.send("GET", *_PATH, "export"), output)


def restore(
    saved: Annotated[
        Path, typer.Argument(metavar="FILE", help="The output of auricle voices export.")
    ],
    consent: _Consent = False,
    url: ServerUrl = None,
    api_key: ApiKey = None,
) -> None:
    """Import the voices of an export from a server with the same speaker model."""
    try:
        fields = json.loads(saved.read_bytes())
        body = {"voices": fields["voices"], "consent": consent}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise RequestError(f"{saved} is not an export of voices.") from error
    with open_server(url, api_key) as server:
        for voice in json.loads(server.send("POST", *_PATH, "import", json=body))["voices"]:
            results.print(f"{voice['id']}  {voice['name']}", markup=False)


def _report(body: bytes) -> None:
    """Print the id of a new voice."""
    voice = json.loads(body)
    errors.print(f"The voice was stored, from {voice['speech_s']:g} s of speech. Its ID:")
    results.print(voice["id"], markup=False)


def known(as_json: AsJson = False, url: ServerUrl = None, api_key: ApiKey = None) -> None:
    """List the voices that the server knows for your key.

    Each line has the ID, the time of storage, the seconds of speech and the name. The server knows
    voices only with AURICLE_KNOWN_VOICES.
    """
    with open_server(url, api_key) as server:
        for voice in server.document("GET", *_PATH)["voices"]:
            if as_json:
                typer.echo(json.dumps(voice, ensure_ascii=False))
                continue
            note = "" if voice["is_used"] else "  (of another speaker model)"
            stored = local_time(voice["created_at"])
            line = f"{voice['id']}  {stored}  {voice['speech_s']:>6.1f} s  {voice['name']}{note}"
            results.print(line, markup=False)


known.__name__ = "list"  # the name of the command; a function of this name would hide the type
