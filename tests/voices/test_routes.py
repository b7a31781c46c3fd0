"""Known voices over HTTP: stored, listed, renamed, exported, imported and deleted."""

import json
import sqlite3
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from structlog.testing import LogCapture

from auricle.apis.transcripts.stored.transcripts import KeptSegment, KeptTranscript, Transcripts
from auricle.ledger.databases.sqlite import FILE_NAME
from auricle.values.errors import AudioError, EmptyAudio, PoisonJob, UnsupportedFormat
from auricle.values.optional_workers import OptionalWorkers
from auricle.values.speakers import VoicePrint
from auricle.values.transcriber import Progress
from auricle.values.types import Chunk, ClientId
from auricle.voices.enrolment import MAX_SPEECH_S, MIN_SPEECH_S
from auricle.voices.stored import MAX_VOICES, EnrolledVoices
from auricle.workers.kinds.speakers.local import LocalSpeakers
from tests.support.embedder import LOUDNESS, FakeEmbedder
from tests.support.made_up_voices import voice
from tests.support.service import InProcess, in_process, keys
from tests.support.transcripts import kept_in

pytestmark = pytest.mark.server

SECOND = 16_000
MODEL = "digest-of-the-model"
ALICE = {"authorization": "Bearer alice-key"}
BEN = {"authorization": "Bearer ben-key"}
CAROL = {"authorization": "Bearer carol-key"}
API_KEYS = keys("alice:alice-key", "ben:ben-key", "carol:carol-key")
TEN_SCRIPTS = (
    "Zoë O’Neill",
    "Ιωάννα",
    "Ольга",
    "מרים",
    "علی‌رضا",
    "अनिता शर्मा",
    "สมชาย",
    "王小明",
    "さくら",
    "김민준",
)


def speakers(embedder: FakeEmbedder | None = None) -> OptionalWorkers:
    return OptionalWorkers(speakers=LocalSpeakers(embedder or FakeEmbedder(), MODEL, patience_s=0))


@pytest.fixture
def service(tmp_path: Path) -> Iterator[InProcess]:
    settings = kept_in(tmp_path, known_voices=("alice", "ben"), api_keys=API_KEYS)
    with in_process(tmp_path, workers=speakers(), **settings) as started:
        yield started


def record(service: InProcess, *said: tuple[int, float]) -> None:
    """Let the decoder find voices for some seconds each; voice 0 is a sound without a voice."""
    chunks, at = [], 0
    for number, seconds in said:
        pcm = np.full(int(seconds * SECOND), number * LOUDNESS, np.int16)
        chunks.append(Chunk(at, pcm))
        at += pcm.size + SECOND
    service.decoder.script = [
        *(Progress(0.3, chunk.start_sample + chunk.pcm.size, chunk) for chunk in chunks),
        Progress(1.0, at, done=True),
    ]


def post(
    service: InProcess,
    said: Sequence[tuple[int, float]] = ((1, 20),),
    headers: dict[str, str] = ALICE,
    **fields: str,
) -> Any:
    record(service, *said)
    fields = {"name": "Ann", "consent": "true"} | fields
    files = {"file": ("a.wav", bytes(1000))}
    return service.client.post("/v1/voices", files=files, data=fields, headers=headers)


def listed(service: InProcess, headers: dict[str, str] = ALICE) -> list[str]:
    answer = service.client.get("/v1/voices", headers=headers)
    assert answer.status_code == 200
    return [each["name"] for each in answer.json()["voices"]]


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_a_voice_is_stored_and_listed(service: InProcess) -> None:
    answer = post(service)
    assert answer.status_code == 201
    body = answer.json()
    assert (body["name"], body["is_used"]) == ("Ann", True)
    assert body["speech_s"] == pytest.approx(20, abs=0.2)
    assert service.client.get("/v1/voices", headers=ALICE).json() == {"voices": [body]}
    assert service.is_at_rest()


def test_a_name_may_have_any_script(service: InProcess) -> None:
    for name in TEN_SCRIPTS:
        assert post(service, name=f" {name} ").status_code == 201
    assert listed(service) == list(TEN_SCRIPTS)


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "a\0", "a\u202eb", "\u200d", "x" * 101])
def test_an_unusable_name_is_refused(service: InProcess, name: str) -> None:
    assert code(post(service, name=name)) == (400, "bad_request")


@pytest.mark.parametrize("consent", ["false", "", "no"])
def test_without_consent_nothing_is_decoded(service: InProcess, consent: str) -> None:
    assert code(post(service, consent=consent)) == (400, "consent_missing")
    assert not listed(service)
    assert service.is_at_rest()


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (((0, 20),), "no speech"),
        (((1, 4),), f"4 s of speech; {MIN_SPEECH_S} s are needed"),
        (((1, 70),), f"at most {MAX_SPEECH_S} s"),
        (((1, 12), (2, 12)), "several voices"),
        (((1, 15), (2, 4), (1, 15)), "several voices"),
        ((), "no speech"),
    ],
)
def test_an_unusable_recording_is_refused(
    service: InProcess, said: Sequence[tuple[int, float]], reason: str
) -> None:
    answer = post(service, said)
    assert code(answer) == (400, "voice_unusable")
    assert reason in answer.json()["error"]["message"]
    assert not listed(service)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (AudioError("The audio can't be decoded."), (422, "bad_audio")),
        (UnsupportedFormat("Unknown format."), (415, "unsupported_format")),
        (EmptyAudio("The file holds no audio."), (422, "empty_audio")),
        (PoisonJob("This audio repeatedly kills workers."), (500, "poison_job")),
    ],
)
def test_a_recording_that_can_t_be_read_is_refused(
    service: InProcess, error: Exception, expected: tuple[int, str]
) -> None:
    service.decoder.script = [error]
    files = {"file": ("a.wav", bytes(1000))}
    fields = {"name": "Ann", "consent": "true"}
    answer = service.client.post("/v1/voices", files=files, data=fields, headers=ALICE)
    assert code(answer) == expected
    assert not listed(service)
    assert service.is_at_rest()


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"name": "Ann"}, "consent_missing"),
        ({"consent": "true"}, "bad_request"),
        ({"name": "Ann", "consent": "perhaps"}, "bad_request"),
    ],
)
def test_a_missing_field_is_refused_in_a_form_and_in_a_query(
    service: InProcess, fields: dict[str, str], expected: str
) -> None:
    record(service, (1, 20))
    files = {"file": ("a.wav", bytes(1000))}
    answer = service.client.post("/v1/voices", files=files, data=fields, headers=ALICE)
    assert code(answer) == (400, expected)
    audio = ALICE | {"content-type": "audio/wav"}
    answer = service.client.post("/v1/voices", content=bytes(99), params=fields, headers=audio)
    assert code(answer) == (400, expected)
    assert not listed(service)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"consent": None}, "bad_request"),
        ({"consent": "true"}, "bad_request"),
        ({"consent": False}, "consent_missing"),
        ({"name": "a\u0007b"}, "bad_request"),
        ({"name": "a\ufffeb"}, "bad_request"),
        ({"name": "\ud800"}, "bad_request"),
        ({"name": ["Ann"]}, "bad_request"),
        ({"speaker": -1}, "bad_request"),
        ({"speaker": 0.5}, "bad_request"),
        ({"transcript": "t" * 201}, "bad_request"),
    ],
)
def test_an_invalid_field_of_a_remembered_speaker_is_refused(
    service: InProcess, change: dict[str, Any], expected: str
) -> None:
    body = {"name": "Ann", "consent": True, "transcript": "t", "speaker": 0} | change
    headers = ALICE | {"content-type": "application/json"}
    answer = service.client.post("/v1/voices", content=json.dumps(body), headers=headers)
    assert code(answer) == (400, expected)


def test_a_speaker_of_another_key_s_transcript_does_not_exist(service: InProcess) -> None:
    database, now = service.state.storage.database, time.time()
    kept = KeptTranscript("t", ClientId("alice"), "native", "en", now, now)
    Transcripts(database).add(kept, [KeptSegment(1, 0, 1, "So.", 0)])
    prints = {0: VoicePrint(MODEL, voice(1), 20)}
    EnrolledVoices(database).keep_recent(ClientId("alice"), "t", prints, now + 3600)
    body = {"name": "Ann", "consent": True, "transcript": "t", "speaker": 0}
    answer = service.client.post("/v1/voices", json=body, headers=BEN)
    assert code(answer) == (404, "not_found")
    assert service.client.post("/v1/voices", json=body, headers=ALICE).status_code == 201


def test_one_of_twenty_requests_at_once_gets_a_name(service: InProcess) -> None:
    entry = {"name": "Ann", "model": MODEL, "embedding": voice(1).tolist()}
    body = {"consent": True, "voices": [entry | {"speech_s": 20, "created_at": 1.8e9}]}

    def send(_: int) -> tuple[int, str]:
        answer = service.client.post("/v1/voices/import", json=body, headers=ALICE)
        return (201, "") if answer.status_code == 201 else code(answer)

    with ThreadPoolExecutor(20) as threads:
        answers = sorted(threads.map(send, range(20)))
    assert answers == [(201, "")] + [(409, "voice_exists")] * 19
    assert listed(service) == ["Ann"]


def test_a_name_is_unique_in_its_key(service: InProcess) -> None:
    first = post(service, name="Zoe\u0301").json()
    assert code(post(service, name="Zo\u00e9")) == (409, "voice_exists")
    assert post(service, name="Zoé", headers=BEN).status_code == 201
    post(service, name="Ben")
    path = f"/v1/voices/{first['id']}"
    answer = service.client.patch(path, json={"name": "Ben"}, headers=ALICE)
    assert code(answer) == (409, "voice_exists")
    assert service.client.patch(path, json={"name": "Zoé"}, headers=ALICE).status_code == 204


def test_a_voice_is_renamed_and_deleted(service: InProcess) -> None:
    path = f"/v1/voices/{post(service).json()['id']}"
    assert service.client.patch(path, json={"name": "Anna"}, headers=ALICE).status_code == 204
    assert listed(service) == ["Anna"]
    bad = service.client.patch(path, json={"name": "\t"}, headers=ALICE)
    assert code(bad) == (400, "bad_request")
    assert service.client.delete(path, headers=ALICE).status_code == 204
    assert not listed(service)
    assert code(service.client.delete(path, headers=ALICE)) == (404, "not_found")


def test_another_key_s_voice_does_not_exist(service: InProcess) -> None:
    path = f"/v1/voices/{post(service).json()['id']}"
    assert code(service.client.delete(path, headers=BEN)) == (404, "not_found")
    renamed = service.client.patch(path, json={"name": "Mine"}, headers=BEN)
    assert code(renamed) == (404, "not_found")
    assert not listed(service, BEN)
    assert service.client.get("/v1/voices/export", headers=BEN).json() == {"voices": []}
    assert listed(service) == ["Ann"]
    assert code(service.client.delete("/v1/voices/%00", headers=ALICE)) == (404, "not_found")


def test_a_key_that_has_not_opted_in_has_no_voices(service: InProcess) -> None:
    assert code(post(service, headers=CAROL)) == (404, "not_found")
    assert "AURICLE_KNOWN_VOICES" in post(service, headers=CAROL).json()["error"]["message"]
    assert service.client.get("/v1/voices").status_code == 401


def test_it_is_off_without_a_setting(tmp_path: Path) -> None:
    with in_process(tmp_path, workers=speakers(), api_keys=API_KEYS) as service:
        assert code(post(service)) == (404, "not_found")


def test_a_token_is_refused(service: InProcess) -> None:
    token = service.client.post("/v1/auth/token", headers=ALICE).json()["token"]
    headers = {"authorization": f"Bearer {token}"}
    assert service.client.get("/v1/voices", headers=headers).status_code == 401


def test_a_large_body_is_refused_before_it_is_read(service: InProcess) -> None:
    headers = ALICE | {"content-type": "multipart/form-data; boundary=x"}
    headers |= {"content-length": "100000000"}
    answer = service.client.post("/v1/voices", content=b"", headers=headers)
    assert code(answer) == (413, "too_large")
    answer = service.client.post("/v1/voices/import", content=b"", headers=headers)
    assert code(answer) == (413, "too_large")


def test_a_large_body_without_a_length_is_refused(service: InProcess) -> None:
    headers = ALICE | {"content-type": "multipart/form-data; boundary=x"}
    start = b'--x\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n'
    chunks = iter([start, *[bytes(1_000_000)] * 100])
    answer = service.client.post("/v1/voices", content=chunks, headers=headers)
    assert code(answer) == (413, "too_large")
    assert service.is_at_rest()


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/v1/voices"), ("POST", "/v1/voices/import"), ("PATCH", "/v1/voices/x")],
)
def test_large_json_without_a_length_is_refused(service: InProcess, method: str, path: str) -> None:
    headers = ALICE | {"content-type": "application/json"}
    chunks = iter([b'{"name": "', *[b"a" * 1_000_000] * 100])
    answer = service.client.request(method, path, content=chunks, headers=headers)
    assert code(answer) == (413, "too_large")


def test_a_form_without_a_recording_is_refused(service: InProcess) -> None:
    fields = {"name": "Ann", "consent": "true"}
    part = {"else": (None, "x")}
    answer = service.client.post("/v1/voices", files=part, data=fields, headers=ALICE)
    assert code(answer) == (400, "bad_request")
    assert "file" in answer.json()["error"]["message"]


def test_the_api_s_description_has_the_codes_of_all_refusals(service: InProcess) -> None:
    document = service.client.get("/openapi.json").json()
    shared = document["components"]["responses"]

    def texts(path: str) -> dict[str, str]:
        found = document["paths"][path]["post"]["responses"]
        names = {
            status: each["$ref"].rpartition("/")[2]
            for status, each in found.items()
            if "$ref" in each
        }
        return {status: shared[name]["description"] for status, name in names.items()}

    for path in ("/v1/voices", "/v1/voices/import"):
        assert "`consent_missing`" in texts(path)["400"]
        assert "`voice_unusable`" in texts(path)["400"]
        assert "`voice_exists`" in texts(path)["409"]
        assert "`too_many_voices`" in texts(path)["409"]
        assert "`no_worker_ready`" in texts(path)["503"]
    assert {"413", "415", "422", "504"} <= texts("/v1/voices").keys()


def test_an_export_is_imported_elsewhere(service: InProcess) -> None:
    post(service, name="Ann")
    post(service, [(2, 20)], name="Bob")
    export = service.client.get("/v1/voices/export", headers=ALICE).json()
    first = export["voices"][0]
    assert (first["name"], first["model"]) == ("Ann", MODEL)
    assert np.array(first["embedding"]) @ voice(1) > 0.9
    answer = service.client.post("/v1/voices/import", json=export, headers=BEN)
    assert code(answer) == (400, "consent_missing")
    body = export | {"consent": True}
    answer = service.client.post("/v1/voices/import", json=body, headers=BEN)
    assert answer.status_code == 201, answer.text
    assert listed(service, BEN) == ["Ann", "Bob"]
    assert service.client.get("/v1/voices/export", headers=BEN).json() == export
    answer = service.client.post("/v1/voices/import", json=body, headers=BEN)
    assert code(answer) == (409, "voice_exists")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"model": "another"}, "voice_unusable"),
        ({"embedding": [0.0] * 192}, "voice_unusable"),
        ({"embedding": [1.0, 0.0]}, "voice_unusable"),
        ({"embedding": []}, "bad_request"),
        ({"embedding": [1e300] * 192}, "bad_request"),
        ({"name": "Ann"}, "bad_request"),
        ({"name": "a\rb"}, "bad_request"),
        ({"created_at": -1}, "bad_request"),
    ],
)
def test_an_invalid_import_stores_nothing(
    service: InProcess, change: dict[str, Any], expected: str
) -> None:
    entry = {"model": MODEL, "embedding": voice(1).tolist(), "speech_s": 20, "created_at": 1.8e9}
    voices = [entry | {"name": "Ann"}, entry | {"name": "Bob"} | change]
    body = {"consent": True, "voices": voices}
    answer = service.client.post("/v1/voices/import", json=body, headers=ALICE)
    assert code(answer) == (400, expected)
    assert not listed(service)


def test_an_import_has_the_size_of_the_model_s_voices(service: InProcess) -> None:
    entry = {"name": "Ann", "model": MODEL, "embedding": [1.0, 0.0]}
    body = {"consent": True, "voices": [entry | {"speech_s": 20, "created_at": 1.8e9}]}
    answer = service.client.post("/v1/voices/import", json=body, headers=ALICE)
    assert code(answer) == (400, "voice_unusable")
    assert not listed(service)


def test_a_key_has_a_limited_number_of_voices(service: InProcess) -> None:
    entry = {"model": MODEL, "embedding": voice(1).tolist(), "speech_s": 20, "created_at": 1.8e9}
    voices = [entry | {"name": f"{n}"} for n in range(MAX_VOICES)]
    body = {"consent": True, "voices": voices}
    path = "/v1/voices/import"
    assert service.client.post(path, json=body, headers=ALICE).status_code == 201
    assert code(post(service)) == (409, "too_many_voices")
    body["voices"] = voices * 10
    assert code(service.client.post(path, json=body, headers=ALICE)) == (400, "bad_request")


@pytest.mark.parametrize("body", ["", "[]", "{", '{"name": "A", "consent": true}', "[" * 100_000])
def test_a_malformed_body_is_refused(service: InProcess, body: str) -> None:
    headers = ALICE | {"content-type": "application/json"}
    answer = service.client.post("/v1/voices", content=body, headers=headers)
    assert answer.status_code in (400, 413)
    answer = service.client.post("/v1/voices/import", content=body, headers=headers)
    assert code(answer) == (400, "bad_request")


def test_voices_wait_for_their_workers(tmp_path: Path) -> None:
    settings = kept_in(tmp_path, known_voices=("*",))
    with in_process(tmp_path, workers=speakers(FakeEmbedder(refusals=9)), **settings) as service:
        assert code(post(service)) == (503, "no_worker_ready")
        entry = {"name": "Ann", "model": MODEL, "embedding": voice(1).tolist()}
        body = {"consent": True, "voices": [entry | {"speech_s": 20, "created_at": 1.8e9}]}
        assert code(service.client.post("/v1/voices/import", json=body)) == (503, "no_worker_ready")
        assert not listed(service, {})


def files_of(tmp_path: Path) -> bytes:
    return b"".join(path.read_bytes() for path in (tmp_path / "state").rglob("*") if path.is_file())


def rows(tmp_path: Path, statement: str) -> list[Any]:
    with closing(sqlite3.connect(tmp_path / "state" / FILE_NAME)) as database:
        return database.execute(statement).fetchall()


def embeddings_in(tmp_path: Path) -> list[bytes]:
    found = rows(tmp_path, "SELECT embedding FROM known_voices ORDER BY number")
    return [bytes(embedding) for (embedding,) in found]


def test_a_deleted_voice_leaves_nothing_on_disk(tmp_path: Path) -> None:
    settings = kept_in(tmp_path, known_voices=("alice",), api_keys=API_KEYS)
    with in_process(tmp_path, workers=speakers(), **settings) as service:
        path = f"/v1/voices/{post(service, name='Hildegard').json()['id']}"
        (embedding,) = embeddings_in(tmp_path)
        assert len(embedding) == 4 * 192
        service.client.patch(path, json={"name": "Kunigunde"}, headers=ALICE)
        stored = files_of(tmp_path)
        assert embedding in stored
        assert b"Kunigunde" in stored
        assert service.client.delete(path, headers=ALICE).status_code == 204
    left = files_of(tmp_path)
    assert not [part for part in (b"Hildegard", b"Kunigunde", embedding[:32]) if part in left]


def test_a_key_without_the_setting_has_its_voices_again_with_it(tmp_path: Path) -> None:
    settings = kept_in(tmp_path, api_keys=API_KEYS)
    for known_voices, expected in ((("*",), 200), (("ben",), 404), (("alice",), 200)):
        with in_process(
            tmp_path, workers=speakers(), known_voices=known_voices, **settings
        ) as service:
            if known_voices == ("*",):
                post(service)
            answer = service.client.get("/v1/voices", headers=ALICE)
            assert answer.status_code == expected
            assert len(embeddings_in(tmp_path)) == 1


def test_names_are_not_logged(service: InProcess, logged: LogCapture) -> None:
    path = f"/v1/voices/{post(service, name='Hildegard').json()['id']}"
    service.client.patch(path, json={"name": "Kunigunde"}, headers=ALICE)
    service.client.delete(path, headers=ALICE)
    assert logged.entries
    assert "Hildegard" not in str(logged.entries)
    assert "Kunigunde" not in str(logged.entries)
