import pytest
from structlog.testing import LogCapture

from auricle.server.http.request_log import RequestLog, request_log
from tests.support.service import InProcess
from tests.support.transcriber import heard

pytestmark = pytest.mark.server

SECRET = "what somebody said"


def lines(logged: LogCapture, event: str) -> list[dict[str, object]]:
    return [dict(entry) for entry in logged.entries if entry["event"] == event]


def test_a_request_has_one_line_with_ids_sizes_and_durations(
    service: InProcess, logged: LogCapture
) -> None:
    service.post(job_id="a1", trace_id="t1")
    (line,) = lines(logged, "request")
    assert (
        line.items()
        >= {
            "job_id": "a1",
            "trace_id": "t1",
            "client": "anonymous",
            "route": "/utterance",
            "status": 200,
            "format": "pcm16",
            "audio_bytes": 194_186,
            "audio_s": 6.068,
            "segments": 1,
            "asr_ms": 20.0,
            "attempts": 1,
        }.items()
    )
    assert isinstance(line["duration_ms"], float)


def test_an_error_has_its_code_in_the_line(service: InProcess, logged: LogCapture) -> None:
    service.post(job_id="a1", sample_rate=7)
    (line,) = lines(logged, "request")
    assert (line["status"], line["code"]) == (400, "bad_request")


def test_speech_and_prompts_and_messages_of_bugs_are_never_logged(
    service: InProcess, logged: LogCapture
) -> None:
    service.transcriber.script = [lambda job: heard(SECRET, job), RuntimeError(SECRET)]
    assert service.post(initial_prompt=SECRET, hotwords=[SECRET]).json()["text"] == SECRET
    assert service.post().status_code == 500
    assert lines(logged, "unexpected_error")
    assert SECRET not in str(logged.entries)


def test_a_background_job_has_its_own_log_line(service: InProcess, logged: LogCapture) -> None:
    service.transcriber.script.append(lambda job: heard(SECRET, job))
    service.client.post(
        "/utterance?wait=0&job_id=j", content=b"x" * 9, headers={"content-type": "audio/wav"}
    )
    while service.client.get("/jobs/j").json()["state"] != "done":
        pass
    (line,) = lines(logged, "job")
    assert (line["job_id"], line["state"]) == ("j", "done")
    assert SECRET not in str(logged.entries)


def test_a_record_belongs_to_its_request() -> None:
    first: dict[str, object] = {}
    assert request_log(first) is request_log(first)
    assert request_log(first) is not request_log({})
    assert RequestLog(job_id="a", code="x").line() == {"job_id": "a", "code": "x"}
