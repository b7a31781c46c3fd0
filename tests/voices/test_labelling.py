"""Names of known voices, in files, jobs, live sessions and kept transcripts."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auricle.values.errors import LedgerUnavailable
from auricle.values.optional_workers import OptionalWorkers
from auricle.workers.kinds.speakers.local import LocalSpeakers
from tests.support.embedder import FakeEmbedder
from tests.support.known_voices import BODY, MODEL, WAV, hold_dialogue, know
from tests.support.made_up_voices import voice
from tests.support.poll import wait_until
from tests.support.service import InProcess, in_process
from tests.support.transcripts import kept_in

pytestmark = pytest.mark.server


@pytest.fixture
def service(tmp_path: Path) -> Iterator[InProcess]:
    workers = OptionalWorkers(speakers=LocalSpeakers(FakeEmbedder(), MODEL))
    with in_process(tmp_path, workers=workers, **kept_in(tmp_path, known_voices=("*",))) as started:
        yield started


def transcribe(service: InProcess, *said: int) -> list[dict[str, Any]]:
    hold_dialogue(service, *said)
    answer = service.client.post("/utterance?speakers=true", content=BODY, headers=WAV)
    assert answer.status_code == 200, answer.text
    speakers: list[dict[str, Any]] = answer.json()["speakers"]
    return speakers


def transcribe_job(service: InProcess, job_id: str, *said: int) -> dict[str, Any]:
    """Return the kept transcript of a job."""
    hold_dialogue(service, *said)
    path = f"/utterance?speakers=true&wait=0&job_id={job_id}"
    assert service.client.post(path, content=BODY, headers=WAV).status_code == 202
    wait_until(lambda: service.client.get(f"/jobs/{job_id}").json()["state"] == "done", job_id)
    newest = service.client.get("/v1/transcripts?limit=1").json()["transcripts"][0]
    return kept(service, newest["id"])


def kept(service: InProcess, uid: str) -> dict[str, Any]:
    transcript: dict[str, Any] = service.client.get(f"/v1/transcripts/{uid}").json()
    return transcript


def names(speakers: list[dict[str, Any]]) -> list[str | None]:
    return [each["name"] for each in sorted(speakers, key=lambda each: each["speaker"])]


def test_a_known_voice_has_its_name_in_a_file(service: InProcess) -> None:
    assert names(transcribe(service, 2, 1, 2)) == [None, None]
    know(service, Ann=1, Cem=3)
    assert names(transcribe(service, 2, 1, 2)) == [None, "Ann"]
    assert names(transcribe(service, 3, 1, 3)) == ["Cem", "Ann"]
    assert names(transcribe(service, 2, 4)) == [None, None]


def test_a_voice_is_forgotten_when_it_is_deleted(service: InProcess) -> None:
    ids = know(service, Ann=1)
    service.client.patch(f"/v1/voices/{ids['Ann']}", json={"name": "Anna"})
    assert names(transcribe(service, 2, 1)) == [None, "Anna"]
    service.client.delete(f"/v1/voices/{ids['Ann']}")
    assert names(transcribe(service, 2, 1)) == [None, None]


def test_voices_of_another_model_have_no_effect(service: InProcess) -> None:
    know(service, Ann=1)
    service.state.workers.speakers.books._model = "another"  # type: ignore[attr-defined]
    assert names(transcribe(service, 2, 1)) == [None, None]


def test_a_failing_database_costs_names_only(
    service: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    know(service, Ann=1)
    stored = service.state.workers.speakers.stored  # type: ignore[attr-defined]

    def fail(*_: object) -> object:
        raise LedgerUnavailable("No answer.", 1)

    monkeypatch.setattr(stored._database, "read", fail)
    assert names(transcribe(service, 2, 1)) == [None, None]


def test_a_kept_transcript_of_a_job_has_names(service: InProcess) -> None:
    ids = know(service, Ann=1)
    transcript = transcribe_job(service, "a", 2, 1, 2)
    assert names(transcript["speakers"]) == [None, "Ann"]
    text = service.client.get(f"/v1/transcripts/{transcript['id']}?format=txt").text
    assert "Speaker 1: " in text
    assert "Ann: " in text
    service.client.patch(f"/v1/voices/{ids['Ann']}", json={"name": "Anna"})
    assert names(kept(service, transcript["id"])["speakers"]) == [None, "Anna"]
    service.client.delete(f"/v1/voices/{ids['Ann']}")
    assert names(kept(service, transcript["id"])["speakers"]) == [None, None]


def test_a_change_that_fails_changes_nothing_and_is_repeated(
    service: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = know(service, Ann=1)
    uid = transcribe_job(service, "a", 2, 1)["id"]
    path = f"/v1/voices/{ids['Ann']}"
    last = list(service.state.live.followers.values())[-1]

    def fail(*_: object, **__: object) -> object:
        raise LedgerUnavailable("No answer.", 1)

    with monkeypatch.context() as failing:
        failing.setattr(last, "rename_known", fail)
        assert service.client.patch(path, json={"name": "Anna"}).status_code == 503
        assert service.client.delete(path).status_code == 503
    assert names(kept(service, uid)["speakers"]) == [None, "Ann"]
    assert [each["name"] for each in service.client.get("/v1/voices").json()["voices"]] == ["Ann"]
    assert service.client.patch(path, json={"name": "Anna"}).status_code == 204
    assert names(kept(service, uid)["speakers"]) == [None, "Anna"]
    assert service.client.delete(path).status_code == 204
    assert names(kept(service, uid)["speakers"]) == [None, None]


def test_the_result_of_a_job_has_the_name_that_the_voice_has_now(service: InProcess) -> None:
    ids = know(service, Ann=1, Cem=3)
    transcribe_job(service, "a", 2, 1, 3)

    def result() -> list[str | None]:
        return names(service.client.get("/jobs/a").json()["result"]["speakers"])

    assert result() == [None, "Ann", "Cem"]
    service.client.patch(f"/v1/voices/{ids['Ann']}", json={"name": 'Anna "von" Ö'})
    assert result() == [None, 'Anna "von" Ö', "Cem"]
    service.client.delete(f"/v1/voices/{ids['Ann']}")
    assert result() == [None, None, "Cem"]


def test_a_deleted_voice_leaves_its_name_nowhere_on_disk(tmp_path: Path) -> None:
    workers = OptionalWorkers(speakers=LocalSpeakers(FakeEmbedder(), MODEL))
    settings = kept_in(tmp_path, known_voices=("*",))

    def places() -> int:
        files = [path for path in (tmp_path / "state").rglob("*") if path.is_file()]
        return sum(path.read_bytes().count(b"Hildegard") for path in files)

    with in_process(tmp_path, workers=workers, **settings) as service:
        ids = know(service, Hildegard=1)
        transcribe_job(service, "a", 2, 1)
    assert places() >= 3  # the voice, the transcript and the result
    with in_process(tmp_path, workers=workers, **settings) as service:
        assert service.client.delete(f"/v1/voices/{ids['Hildegard']}").status_code == 204
    assert places() == 0


def test_a_refused_rename_changes_no_transcript(service: InProcess) -> None:
    ids = know(service, Ann=1, Cem=3)
    uid = transcribe_job(service, "a", 2, 1)["id"]
    answer = service.client.patch(f"/v1/voices/{ids['Ann']}", json={"name": "Cem"})
    assert answer.status_code == 409
    assert names(kept(service, uid)["speakers"]) == [None, "Ann"]


def test_the_owner_s_names_go_before_those_of_voices(service: InProcess) -> None:
    ids = know(service, Ann=1, Cem=2)
    uid = transcribe_job(service, "a", 1, 2)["id"]
    path = f"/v1/transcripts/{uid}/speakers"
    service.client.patch(f"{path}/0", json={"name": "Dora"})
    assert names(kept(service, uid)["speakers"]) == ["Dora", "Cem"]
    service.client.patch(f"{path}/1", json={"name": ""})
    assert names(kept(service, uid)["speakers"]) == ["Dora", None]
    service.client.delete(f"/v1/voices/{ids['Ann']}")
    assert names(kept(service, uid)["speakers"]) == ["Dora", None]


def test_merged_speakers_have_the_name_of_the_one_who_stays(service: InProcess) -> None:
    know(service, Ann=1, Cem=2)
    uid = transcribe_job(service, "a", 1, 2)["id"]
    service.client.patch(f"/v1/transcripts/{uid}/speakers/0", json={"merge_into": 1})
    assert names(kept(service, uid)["speakers"]) == ["Cem"]


def remember(service: InProcess, uid: str, speaker: int, name: str = "Ann") -> Any:
    body = {"name": name, "consent": True, "transcript": uid, "speaker": speaker}
    return service.client.post("/v1/voices", json=body)


def test_a_speaker_of_a_job_is_remembered(service: InProcess) -> None:
    uid = transcribe_job(service, "a", 2, 1, 2)["id"]
    wait_until(lambda: remember(service, uid, 0).status_code == 201, "recent voices")
    assert names(transcribe(service, 1, 2)) == [None, "Ann"]
    short = remember(service, uid, 1, "Bob").json()["error"]  # 6 s of speech
    assert (short["code"], short["message"]) == (
        "voice_unusable",
        "There are 6 s of speech; 10 s are needed.",
    )
    assert remember(service, uid, 7).status_code == 404
    assert remember(service, "unknown", 0).status_code == 404
    assert remember(service, "\0", 0).status_code == 404


def test_a_remembered_speaker_goes_with_the_transcript(service: InProcess) -> None:
    uid = transcribe_job(service, "a", 2, 1, 2)["id"]
    wait_until(lambda: remember(service, uid, 0).status_code == 201, "recent voices")
    service.client.delete(f"/v1/transcripts/{uid}")
    assert remember(service, uid, 0, "Other").status_code == 404


def test_a_deleted_voice_is_not_remembered_from_recent_speech(service: InProcess) -> None:
    uid = transcribe_job(service, "a", 2, 1, 2)["id"]
    wait_until(lambda: remember(service, uid, 0).status_code == 201, "recent voices")
    (known,) = service.client.get("/v1/voices").json()["voices"]
    service.client.delete(f"/v1/voices/{known['id']}")
    assert remember(service, uid, 0).status_code == 404
    assert remember(service, uid, 1, "Bob").json()["error"]["code"] == "voice_unusable"


def openai(service: InProcess, **fields: Any) -> Any:
    hold_dialogue(service, 2, 1, 3)
    data = {"response_format": "diarized_json"} | fields
    return service.client.post(
        "/v1/audio/transcriptions", files={"file": ("a.wav", BODY)}, data=data
    )


def labels(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [segment["speaker"] for segment in answer.json()["segments"]]


def test_openai_s_names_without_recordings_are_those_of_stored_voices(service: InProcess) -> None:
    know(service, Ann=1, Cem=3)
    assert labels(openai(service)) == ["A", "Ann", "Cem"]
    answer = openai(service, **{"known_speaker_names[]": ["Cem"]})
    assert labels(answer) == ["A", "B", "Cem"]
    assert "warnings" not in answer.json()
    answer = openai(service, **{"known_speaker_names[]": ["Cem", "Nobody"]})
    assert labels(answer) == ["A", "B", "Cem"]
    assert answer.json()["warnings"] == ["known_speaker_names has 1 without a stored voice."]


def test_a_voice_whose_name_is_not_wanted_gives_its_name_to_no_other(service: InProcess) -> None:
    know(service, Cem=3)
    post_alike(service, "Dora", 3)
    answer = openai(service, **{"known_speaker_names[]": ["Dora"]})
    assert labels(answer) == ["A", "B", "C"]


def post_alike(service: InProcess, name: str, number: int) -> None:
    """Store a voice that is nearly as much like that of this number as its own is."""
    vector = 0.97 * voice(number) + 0.2 * voice(9)
    vector /= np.linalg.norm(vector)
    entry = {"name": name, "model": MODEL, "embedding": vector.tolist()}
    body = {"consent": True, "voices": [entry | {"speech_s": 20, "created_at": 1.8e9}]}
    assert service.client.post("/v1/voices/import", json=body).status_code == 201


def test_openai_s_names_without_recordings_are_refused_without_voices(tmp_path: Path) -> None:
    workers = OptionalWorkers(speakers=LocalSpeakers(FakeEmbedder(), MODEL))
    with in_process(tmp_path, workers=workers) as service:
        answer = openai(service, **{"known_speaker_names[]": ["Cem"]})
        assert answer.status_code == 400
        assert "known_speaker_references" in answer.json()["error"]["message"]


@pytest.mark.parametrize("format", ["txt", "srt", "vtt", "md", "rttm"])
def test_every_format_of_a_kept_transcript_has_names(service: InProcess, format: str) -> None:
    know(service, Ann=1)
    uid = transcribe_job(service, "a", 2, 1)["id"]
    assert "Ann" in service.client.get(f"/v1/transcripts/{uid}?format={format}").text
