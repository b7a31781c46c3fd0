"""SIGKILL of the server in mid-utterance: its next start completes the kept transcripts."""

import json
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from anyio import to_thread

from auricle.apis.transcripts.audio_journal.file import read_journal
from tests.support.command import serving
from tests.support.scripted_engine import answer
from tests.support.service import poll_until
from tests.support.stream import SPEECH, call, pcm

pytestmark = pytest.mark.process

HALF = SPEECH[:16_000]


def files(folder: Path) -> list[Path]:
    return list((folder / "state" / "journal").glob("*/*"))


def journalled_samples(folder: Path) -> list[int]:
    """Return the samples of each utterance."""
    read = [read_journal(file) for file in files(folder)]
    return [0 if each is None else each.pcm.size for each in read]


def fetched(url: str, path: str) -> Any:
    with urllib.request.urlopen(f"{url}{path}", timeout=60) as response:
        return json.load(response)


async def transcripts(url: str) -> list[dict[str, Any]]:
    """Return all kept transcripts with their segments."""

    def read() -> list[dict[str, Any]]:
        listed = fetched(url, "/v1/transcripts")["transcripts"]
        return [fetched(url, f"/v1/transcripts/{each['id']}") for each in listed]

    return await to_thread.run_sync(read)


async def until(condition: Callable[[], object]) -> None:
    await poll_until(condition, 120)


async def test_the_open_utterances_of_a_killed_server_are_kept(tmp_path: Path) -> None:
    settings: dict[str, object] = {
        "state_dir": tmp_path / "state",
        "keep_transcripts": 1,
        "journal_audio": 1,
        "workers": 1,
    }
    with serving(tmp_path, **settings) as (server, url):
        port = int(url.rpartition(":")[2])
        async with (
            call(port, format="pcm16") as second,
            call(port, format="pcm16") as first,
        ):
            await second.send(pcm(HALF))
            await second.tell("finalize")
            await second.until("final")
            await second.send(pcm(HALF))  # its second utterance
            await first.send(pcm(HALF))
            await until(lambda: sorted(file.suffix for file in files(tmp_path)) == [".1", ".2"])
            await until(lambda: min(journalled_samples(tmp_path)) > 8000)
            server.process.kill()
            server.wait()
            expected = {
                file.name: answer(utterance.pcm)
                for file in files(tmp_path)
                if (utterance := read_journal(file)) is not None
            }
    with serving(tmp_path, **settings) as (_, url):
        await until(lambda: not files(tmp_path))
        kept = {
            f"{transcript['id']}.{segment['id']}": (transcript["source"], segment["text"])
            for transcript in await transcripts(url)
            for segment in transcript["segments"]
        }
    assert {name: kept[name][1] for name in expected} == expected
    assert sorted(source for source, _ in kept.values()) == ["native"] * 3
    assert files(tmp_path) == []
