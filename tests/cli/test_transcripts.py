"""``auricle transcripts`` with a real server and its database."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from auricle.apis.transcripts.stored.transcripts import KeptSegment, KeptTranscript, Transcripts
from auricle.ledger.databases.sqlite import SqliteDatabase
from auricle.values.types import ClientId
from tests.support.command import completed, environment, serving

pytestmark = pytest.mark.process

KEYS = "anna:anna-secret-key,ben:ben-secret-key"
NOON = (time.time() // 86_400 - 1) * 86_400 + 43_200
"""Of yesterday, in UTC: what is older than 30 days is deleted."""
DAY = time.strftime("%Y-%m-%d", time.gmtime(NOON))

Completed = subprocess.CompletedProcess[str]
Run = Callable[..., Completed]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("transcripts")


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    """Run a server whose database has some transcripts."""
    state = folder / "state"
    database = SqliteDatabase.open(state)
    transcripts = Transcripts(database)
    dialogue = KeptTranscript("dialogue", ClientId("anna"), "job", "fr", NOON - 7200, NOON - 3600)
    spoken = [KeptSegment(0, 0, 900, "Hello.", 0), KeptSegment(1, 1000, 1900, "Goodbye.", 1)]
    transcripts.add(dialogue, spoken)
    for uid, owner, language, started_at, texts in (
        ("first", "anna", "en", NOON, ("The report is late.", "Nobody read it.")),
        ("second", "anna", "de", NOON + 3600, ("Der Bericht, the report.",)),
        ("other", "ben", "en", NOON, ("A secret report.",)),
    ):
        transcripts.add(
            KeptTranscript(uid, ClientId(owner), "native", language, started_at, started_at + 75),
            [
                KeptSegment(number, number * 65_000, number * 65_000 + 1500, text)
                for number, text in enumerate(texts)
            ],
        )
    database.close()
    with serving(folder, state_dir=state, keep_transcripts=1, api_keys=KEYS) as (_, address):
        yield address


@pytest.fixture
def transcripts(folder: Path, url: str) -> Run:
    """Run ``auricle transcripts`` with anna's key, unless a setting says otherwise."""

    def run(*arguments: str, **settings: str) -> Completed:
        settings = {"url": url, "api_key": "anna-secret-key"} | settings
        environ = environment(folder, **settings) | {"TZ": "UTC"}
        return completed("transcripts", *arguments, environ=environ)

    return run


def test_the_list_has_the_newest_of_the_key_first(transcripts: Run) -> None:
    done = transcripts("list")
    assert (done.returncode, done.stderr) == (0, "")
    header, *lines = done.stdout.splitlines()
    assert header.split() == ["id", "started", "length", "language", "api"]
    assert [line.index(line.split()[-1]) for line in lines] == [header.index("api")] * 3
    assert [line.split() for line in lines] == [
        ["second", DAY, "13:00:00", "0:01:15", "de", "native"],
        ["first", DAY, "12:00:00", "0:01:15", "en", "native"],
        ["dialogue", DAY, "10:00:00", "1:00:00", "fr", "job"],
    ]


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        (["--language", "en"], ["first"]),
        (["--source", "native"], ["second", "first"]),
        (["--since", f"{DAY} 12:30:00"], ["second"]),
        (["--until", f"{DAY}T12:30:00"], ["first", "dialogue"]),
        (["--limit", "1"], ["second"]),
    ],
)
def test_the_list_is_narrowed(transcripts: Run, options: list[str], ids: list[str]) -> None:
    done = transcripts("list", "--json", *options)
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == ids


def test_a_search_names_transcript_time_and_text(transcripts: Run) -> None:
    done = transcripts("search", "READ", "nobody")
    assert done.stdout == f"first  {DAY} 12:00:00  0:01:05  Nobody read it.\n"


def test_a_search_without_a_match_exits_with_1(transcripts: Run) -> None:
    done = transcripts("search", "secret")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")


def test_a_match_is_a_line_of_json(transcripts: Run) -> None:
    [line] = transcripts("search", "nobody", "--json").stdout.splitlines()
    assert json.loads(line)["segment"]["start_ms"] == 65_000


@pytest.mark.parametrize(
    ("format", "start"),
    [
        ("text", "The report is late.\nNobody read it.\n"),
        ("srt", "1\n00:00:00,000 --> 00:00:01,500\nThe report is late.\n"),
        ("vtt", "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nThe report is late.\n"),
        ("json", '{\n  "id": "first",\n'),
    ],
)
def test_a_transcript_is_shown_in_each_format(transcripts: Run, format: str, start: str) -> None:
    done = transcripts("show", "first", "--format", format)
    assert done.returncode == 0
    assert done.stdout.startswith(start)


def test_speakers_are_named_and_merged(transcripts: Run) -> None:
    done = transcripts("name", "dialogue", "2", "Ann [x]")
    assert (done.returncode, done.stdout) == (0, "1  -\n2  Ann [x]\n")
    assert transcripts("show", "dialogue").stdout == "Speaker 1: Hello.\nAnn [x]: Goodbye.\n"
    assert "Speaker_1" in transcripts("show", "dialogue", "-f", "rttm").stdout
    assert transcripts("merge", "dialogue", "2", "1").stdout == "1  Ann [x]\n"
    missing = transcripts("merge", "dialogue", "2", "1")
    assert (missing.returncode, "no such speaker" in missing.stderr) == (2, True)


def test_a_transcript_is_written_to_a_file(transcripts: Run, tmp_path: Path) -> None:
    target = tmp_path / "kept.txt"
    assert transcripts("show", "first", "-o", str(target)).stdout == ""
    assert target.read_text() == "The report is late.\nNobody read it.\n"


def test_a_folder_that_cant_be_written_is_reported_before_anything_is_read(
    transcripts: Run, tmp_path: Path
) -> None:
    done = transcripts("show", "unknown", "-o", str(tmp_path))
    assert done.returncode == 2
    assert "is a folder" in done.stderr


def test_transcripts_of_others_are_unknown(transcripts: Run) -> None:
    for name in ("show", "delete"):
        done = transcripts(name, "other")
        assert done.returncode == 2
        assert "Unknown transcript" in done.stderr
        assert "secret" not in done.stdout + done.stderr


def test_ids_are_quoted(transcripts: Run) -> None:
    done = transcripts("delete", "../../livez?x=#y")
    assert done.returncode == 2
    assert "auricle: ../../livez?x=#y: " in done.stderr


def test_deleted_transcripts_are_gone_and_missing_ones_are_reported(transcripts: Run) -> None:
    ben = "ben-secret-key"
    done = transcripts("delete", "unknown", "other", api_key=ben)
    assert done.returncode == 2
    assert "other was deleted." in done.stderr
    assert "auricle: unknown: " in done.stderr
    assert transcripts("list", "--json", api_key=ben).stdout == ""


@pytest.mark.parametrize("key", ["", "wrong-secret-key"])
def test_a_wrong_or_missing_key_is_explained(transcripts: Run, key: str) -> None:
    done = transcripts("list", api_key=key)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == (
        "auricle: The server requires a valid key: set --api-key or AURICLE_API_KEY.\n"
    )


def test_a_server_that_is_away_is_reported(transcripts: Run) -> None:
    done = transcripts("list", url="http://127.0.0.1:9")
    assert done.returncode == 2
    assert done.stderr == (
        "auricle: No Auricle server answers at http://127.0.0.1:9: start one with `auricle "
        "serve`, or correct --url.\n"
    )


def test_a_query_that_the_server_refuses_is_one_line(transcripts: Run) -> None:
    done = transcripts("search", *["word"] * 21)
    assert done.returncode == 2
    assert done.stderr == "auricle: q may have at most 20 words. (bad_request)\n"
