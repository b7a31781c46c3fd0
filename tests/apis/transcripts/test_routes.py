"""Kept transcripts over HTTP: those of sessions whose clients have vanished."""

import io
import threading
import time
import zipfile
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from anyio import to_thread
from structlog.testing import LogCapture

from auricle.apis.transcripts.stored.transcripts import KeptSegment, KeptTranscript, Transcripts
from auricle.apis.transcripts.stored.words import KeptWord
from auricle.config.sections.ledger import LedgerSettings
from auricle.ledger.databases.sqlite import SqliteDatabase
from auricle.server import storage
from auricle.text.formats import registry
from auricle.text.formats.docx import MEDIA_TYPE
from auricle.values.errors import LedgerInUse
from auricle.values.types import ClientId
from tests.support.service import InProcess, Live, in_process, keys, live, poll_until
from tests.support.stream import SPEECH, call, pcm
from tests.support.transcripts import kept_in, transcripts_of

pytestmark = pytest.mark.unit

ALICE = {"authorization": "Bearer alice-key"}
BOB = {"authorization": "Bearer bob-key"}
NOW = float(int(time.time()))
API_KEYS = keys("alice:alice-key", "bob:bob-key")


def add(service: InProcess, uid: str, *texts: str, owner: str = "alice", **fields: Any) -> None:
    transcript = KeptTranscript(
        **{
            "uid": uid,
            "owner": ClientId(owner),
            "source": "native",
            "language": "en",
            "started_at": NOW,
            "ended_at": NOW + 10,
            **fields,
        }
    )
    segments = [KeptSegment(n, n * 1000, n * 1000 + 900, text) for n, text in enumerate(texts)]
    transcripts = transcripts_of(service)
    transcripts.add(transcript, segments)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[InProcess]:
    with in_process(tmp_path, **kept_in(tmp_path), api_keys=API_KEYS) as started:
        yield started


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Live]:
    async with live(tmp_path, **kept_in(tmp_path)) as started:
        yield started


async def listed(service: Live) -> list[dict[str, Any]]:
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{service.port}") as client:
        transcripts: list[dict[str, Any]] = (await client.get("/v1/transcripts")).json()[
            "transcripts"
        ]
        return transcripts


async def test_a_session_whose_client_vanished_can_be_read(
    running: Live, logged: LogCapture
) -> None:
    async with call(running.port, format="pcm16") as caller:
        await caller.send(pcm(SPEECH))
        await caller.tell("finalize")
        await caller.until("final")
        caller.connection.transport.abort()
    transcripts = transcripts_of(running)
    await poll_until(lambda: transcripts.page(ClientId("anonymous")))
    (transcript,) = await listed(running)
    assert (transcript["source"], transcript["language"]) == ("native", "en")
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{running.port}") as client:
        body = (await client.get(f"/v1/transcripts/{transcript['id']}")).json()
        search = (await client.get("/v1/transcripts", params={"q": "hello"})).json()
    assert body["text"].split() == ["hello"] * len(body["segments"])
    assert search["matches"][0]["transcript"]["id"] == transcript["id"]
    assert "hello" not in str(logged.entries)


async def test_requests_that_wait_for_the_database_leave_threads_for_others(
    running: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "DATABASE_THREAD_WAIT_S", 60.0)
    transcripts = transcripts_of(running)
    database = transcripts._database
    release = threading.Event()
    threads = running.state.storage.database_threads
    async with httpx2.AsyncClient() as client, anyio.create_task_group() as group:
        group.start_soon(to_thread.run_sync, partial(database.read, lambda t: release.wait(60)))
        url = f"http://127.0.0.1:{running.port}/v1/transcripts"
        for _ in range(60):
            group.start_soon(partial(client.get, url, timeout=60))
        await poll_until(lambda: threads.statistics().tasks_waiting > 40)
        await to_thread.run_sync(release.set)  # one of the other threads

    assert threads.statistics().tasks_waiting == 0


def test_each_key_lists_searches_reads_and_deletes_its_own(service: InProcess) -> None:
    client = service.client
    add(service, "a", "secret of alice")
    add(service, "b", "secret of bob", owner="bob")

    assert [t["id"] for t in client.get("/v1/transcripts", headers=BOB).json()["transcripts"]] == [
        "b"
    ]
    search = client.get("/v1/transcripts", params={"q": "secret"}, headers=BOB).json()
    assert [match["segment"]["text"] for match in search["matches"]] == ["secret of bob"]
    assert client.get("/v1/transcripts/a", headers=BOB).status_code == 404
    assert client.delete("/v1/transcripts/a", headers=BOB).status_code == 404
    assert client.delete("/v1/transcripts/a", headers=ALICE).status_code == 204
    assert client.get("/v1/transcripts/a", headers=ALICE).status_code == 404
    assert client.get("/v1/transcripts").status_code == 401


@pytest.mark.parametrize(
    ("path", "method"),
    [("/v1/transcripts", "GET"), ("/v1/transcripts/a", "GET"), ("/v1/transcripts/a", "DELETE")],
)
def test_a_token_neither_reads_nor_deletes_transcripts(
    service: InProcess, path: str, method: str
) -> None:
    add(service, "a", "secret")
    token = service.client.post("/v1/auth/token", headers=ALICE).json()["token"]
    headers = {"authorization": f"Bearer {token}"}
    response = service.client.request(method, path, headers=headers)

    assert response.status_code == 401
    assert "secret" not in response.text
    assert service.client.get("/v1/transcripts/a", headers=ALICE).status_code == 200


@pytest.mark.parametrize(
    ("format", "media_type", "content"),
    [
        ("txt", "text/plain", "One.\nTwo.\n"),
        ("srt", "application/x-subrip", "1\n00:00:00,000 --> 00:00:01,900\nOne. Two.\n"),
        ("vtt", "text/vtt", "WEBVTT\n\n00:00:00.000 --> 00:00:01.900\nOne. Two.\n"),
    ],
)
def test_a_transcript_is_exported(
    service: InProcess, format: str, media_type: str, content: str
) -> None:
    add(service, "a", "One.", "Two.")
    answer = service.client.get("/v1/transcripts/a", params={"format": format}, headers=ALICE)

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(media_type)
    assert answer.text == content


def test_a_missing_format_is_refused_before_the_transcript_is_read(
    service: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "FORMATS", {})
    path = "/v1/transcripts/no-such-transcript"
    refused = service.client.get(path, params={"format": "srt"}, headers=ALICE)

    assert refused.json()["error"]["code"] == "unsupported_option"


def test_openapi_names_the_media_type_of_each_format(service: InProcess) -> None:
    paths = service.client.get("/openapi.json").json()["paths"]
    content = paths["/v1/transcripts/{transcript_id}"]["get"]["responses"]["200"]["content"]

    texts = {"text/plain", "application/x-subrip", "text/vtt", "text/markdown"}
    assert set(content) == texts | {"application/json", MEDIA_TYPE}


def test_a_transcript_is_json_by_default(service: InProcess) -> None:
    add(service, "a", "One.", "Two.")

    assert service.client.get("/v1/transcripts/a", headers=ALICE).json() == {
        "id": "a",
        "source": "native",
        "language": "en",
        "started_at": NOW,
        "ended_at": NOW + 10,
        "text": "One. Two.",
        "speakers": [],
        "segments": [
            {"id": 0, "start_ms": 0, "end_ms": 900, "text": "One."},
            {"id": 1, "start_ms": 1000, "end_ms": 1900, "text": "Two."},
        ],
    }


def test_pages_continue_until_there_are_no_more(service: InProcess) -> None:
    for uid in ("a", "b", "c"):
        add(service, uid, "word")
    for key, query in (("transcripts", ""), ("matches", "&q=word")):
        url = f"/v1/transcripts?limit=2{query}"
        first = service.client.get(url, headers=ALICE).json()
        second = service.client.get(f"{url}&before={first['next']}", headers=ALICE).json()

        assert (len(first[key]), len(second[key]), second["next"]) == (2, 1, None)


def test_transcripts_are_filtered(service: InProcess) -> None:
    add(service, "a", "word", language="de")
    add(service, "b", "word", started_at=NOW + 100)
    for params, ids in (
        ({"language": "de"}, ["a"]),
        ({"since": NOW + 50}, ["b"]),
        ({"until": NOW + 50}, ["a"]),
        ({"source": "job"}, []),
    ):
        body = service.client.get("/v1/transcripts", params=params, headers=ALICE).json()
        assert [transcript["id"] for transcript in body["transcripts"]] == ids


@pytest.mark.parametrize(
    "query",
    [
        *("limit=0", "limit=1001", "limit=x", "limit=1.5", "before=x", "since=yesterday"),
        *(
            "until=nan",
            "until=inf",
            "before=99999999999999999999",
            f"q={'a' * 1001}",
            f"q={'a+' * 21}",
        ),
        *("source=openai", "source=%00", "language=%00", "language=english"),
    ],
)
def test_an_invalid_parameter_is_refused(service: InProcess, query: str) -> None:
    answer = service.client.get(f"/v1/transcripts?{query}", headers=ALICE)

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "bad_request"


def test_an_unknown_format_is_refused(service: InProcess) -> None:
    add(service, "a")

    answer = service.client.get("/v1/transcripts/a?format=pdf", headers=ALICE)
    assert answer.status_code == 400


@pytest.mark.parametrize("path", ["/v1/transcripts", "/v1/transcripts/a"])
def test_a_server_that_keeps_nothing_says_so(tmp_path: Path, path: str) -> None:
    with in_process(tmp_path) as service:
        answer = service.client.get(path)

    assert answer.status_code == 404
    assert "AURICLE_KEEP_TRANSCRIPTS" in answer.json()["error"]["message"]


def test_transcripts_outlive_the_server(tmp_path: Path) -> None:
    with in_process(tmp_path, **kept_in(tmp_path)) as service:
        add(service, "a", "word", owner="anonymous")
    with in_process(tmp_path, **kept_in(tmp_path)) as service:
        assert service.client.get("/v1/transcripts/a").json()["text"] == "word"


async def test_transcripts_expire_after_the_setting_was_turned_off(tmp_path: Path) -> None:
    settings = LedgerSettings(state_dir=tmp_path / "state")
    with closing(SqliteDatabase.open(settings.directory)) as database:
        old = KeptTranscript("old", ClientId("alice"), "native", "en", started_at=0, ended_at=1)
        Transcripts(database).add(old, [KeptSegment(0, 0, 900, "word")])
    async with live(tmp_path, ledger=settings) as service:
        transcripts = Transcripts(service.state.storage.ledger._database)
        await poll_until(lambda: transcripts.find(ClientId("alice"), "old") is None)


def test_a_second_server_on_the_same_directory_does_not_start(
    service: InProcess, tmp_path: Path
) -> None:
    with (
        pytest.raises(LedgerInUse),
        in_process(tmp_path / "other", **kept_in(tmp_path)),
    ):
        pass


@pytest.fixture
def dialogue(service: InProcess) -> InProcess:
    transcripts = transcripts_of(service)
    transcript = KeptTranscript("a", ClientId("alice"), "native", "en", NOW, NOW + 10)
    spoken = [(0, "One."), (1, "Two."), (0, "Three."), (None, "Four.")]
    transcripts.add(
        transcript,
        [
            KeptSegment(n, n * 1000, n * 1000 + 900, text, who)
            for n, (who, text) in enumerate(spoken)
        ],
    )
    return service


def test_words_have_their_times_and_cut_subtitles(service: InProcess) -> None:
    transcripts = transcripts_of(service)
    said = ["The train leaves at noon, and nobody", " knows whether it will stop at the border."]
    words = (KeptWord(0, 1500, said[0]), KeptWord(6000, 9000, said[1]))
    transcript = KeptTranscript("a", ClientId("alice"), "job", "en", NOW, NOW + 10)
    transcripts.add(transcript, [KeptSegment(0, 0, 9000, "".join(said), words=words)])
    body = service.client.get("/v1/transcripts/a", headers=ALICE).json()
    assert body["segments"][0]["words"] == [
        {"start_ms": word.start_ms, "end_ms": word.end_ms, "word": word.text} for word in words
    ]
    srt = service.client.get("/v1/transcripts/a?format=srt", headers=ALICE).text
    assert "00:00:06,000 --> 00:00:09,000\nknows" in srt


def change(service: InProcess, speaker: object, headers: Any = ALICE, **fields: Any) -> Any:
    url = f"/v1/transcripts/a/speakers/{speaker}"
    return service.client.patch(url, json=fields, headers=headers)


def test_a_speaker_gets_a_name_in_every_format(dialogue: InProcess) -> None:
    body = change(dialogue, 1, name="Ann").json()
    assert body["speakers"] == [{"speaker": 0, "name": None}, {"speaker": 1, "name": "Ann"}]
    assert [segment.get("speaker") for segment in body["segments"]] == [0, 1, 0, None]
    for format, line in (
        ("txt", "Speaker 1: One.\nAnn: Two.\nSpeaker 1: Three.\nFour.\n"),
        ("srt", "Ann: Two."),
        ("vtt", "<v Ann>Ann: Two."),
        ("md", "`0:01` **Ann:** Two.\n"),
        ("rttm", "SPEAKER a 1 1.000 0.900 <NA> <NA> Ann <NA> <NA>\n"),
    ):
        url = f"/v1/transcripts/a?format={format}"
        assert line in dialogue.client.get(url, headers=ALICE).text
    assert change(dialogue, 1, name="").json()["speakers"][1]["name"] is None


def test_a_transcript_is_a_word_document(dialogue: InProcess) -> None:
    answer = dialogue.client.get("/v1/transcripts/a?format=docx", headers=ALICE)
    assert answer.headers["content-type"] == MEDIA_TYPE
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        document = archive.read("word/document.xml").decode()
    assert all(text in document for text in (" UTC<", "Speaker 2: <", "Two.", "0:01"))


def test_two_speakers_who_are_one_are_merged(dialogue: InProcess) -> None:
    change(dialogue, 1, name="Ann")
    body = change(dialogue, 1, merge_into=0).json()
    assert body["speakers"] == [{"speaker": 0, "name": "Ann"}]
    assert [segment.get("speaker") for segment in body["segments"]] == [0, 0, 0, None]


@pytest.mark.parametrize(
    ("speaker", "fields", "status"),
    [
        *[(speaker, {"name": "Ann"}, 404) for speaker in (2, -1, "x", 10**30, "%00")],
        (0, {"merge_into": 7}, 404),
        (0, {}, 400),
        (0, {"name": "Ann", "merge_into": 1}, 400),
        (0, {"name": "A\nB"}, 400),
        (0, {"name": "x" * 101}, 400),
        (0, {"name": 1}, 400),
        (0, {"name": "x" * 5000}, 413),
    ],
)
def test_an_impossible_change_of_a_speaker_is_refused(
    dialogue: InProcess, speaker: object, fields: dict[str, Any], status: int
) -> None:
    assert change(dialogue, speaker, **fields).status_code == status


def test_a_speaker_of_another_key_is_unknown(dialogue: InProcess) -> None:
    assert change(dialogue, 0, BOB, name="Bob").status_code == 404


def change_paragraphs(service: InProcess, *changes: Any, headers: Any = ALICE) -> Any:
    url = "/v1/transcripts/a/paragraphs"
    return service.client.patch(url, json={"changes": changes}, headers=headers)


def test_paragraphs_are_split_and_joined_in_every_format(dialogue: InProcess) -> None:
    one = {"from_speaker": 0, "speaker": 0}
    two = {"start_ms": 1000, "end_ms": 1900, "from_speaker": 1, "speaker": 0}
    body = change_paragraphs(dialogue, two).json()
    assert body["speakers"] == [{"speaker": 0, "name": None}]
    markdown = "/v1/transcripts/a?format=md"
    assert "One. Two. Three.\n" in dialogue.client.get(markdown, headers=ALICE).text
    three = {"start_ms": 2000, "end_ms": 2900, **one, "starts_paragraph": True}
    body = change_paragraphs(dialogue, three).json()
    assert [each.get("starts_paragraph") for each in body["segments"]] == [None, None, True, None]
    text = dialogue.client.get(markdown, headers=ALICE).text
    assert "One. Two.\n\n`0:02` Three.\n" in text.replace("**Speaker 1:** ", "")
    back = {**two, "from_speaker": 0, "speaker": 1}
    body = change_paragraphs(dialogue, back, {**three, "starts_paragraph": None}).json()
    assert [each.get("speaker") for each in body["segments"]] == [0, 1, 0, None]
    assert "starts_paragraph" not in str(body)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ([{"start_ms": 0, "end_ms": 900, "from_speaker": 7, "speaker": 1}], 404),
        ([], 400),
        ([{"start_ms": -1, "end_ms": 900}], 400),
        ([{"start_ms": 0, "end_ms": 900, "speaker": 10**6}], 400),
        ([{"start_ms": 0, "end_ms": 900, "starts_paragraph": "yes"}], 400),
        ([{"start_ms": 0, "end_ms": 900}] * 101, 400),
        ([{"start_ms": 0, "end_ms": 900, "x": "x" * 40_000}], 413),
    ],
)
def test_an_impossible_change_of_paragraphs_is_refused(
    dialogue: InProcess, changes: list[Any], status: int
) -> None:
    assert change_paragraphs(dialogue, *changes).status_code == status


def test_paragraphs_of_another_key_are_unknown(dialogue: InProcess) -> None:
    whole = {"start_ms": 0, "end_ms": 900, "from_speaker": 0, "speaker": 1}
    assert change_paragraphs(dialogue, whole, headers=BOB).status_code == 404
