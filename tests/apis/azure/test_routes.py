"""Azure OpenAI's paths, header and query, as its clients send them."""

import base64
from pathlib import Path
from typing import Any

import pytest
from starlette.datastructures import Headers
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from auricle.apis.registry import find_apis
from auricle.config.sections.model import ModelSettings
from auricle.server.access.key_style import KeyStyle
from auricle.server.access.keyring import Keyring
from auricle.values.types import Task
from tests.support import service as fakes
from tests.support.service import CLIP, InProcess, in_process, keys, live
from tests.support.stream import Caller

pytestmark = pytest.mark.server

CLIP_BYTES = CLIP.path.read_bytes()
VERSION = "api-version=2024-10-21"
STYLE = KeyStyle.all_of(api.key_style for api in find_apis())
NOW = 1_700_000_000.0
DEPLOYMENT = "/openai/deployments/my-whisper/audio"


def post(service: InProcess, path: str, headers: Any = None, **fields: str) -> Any:
    files = {"file": ("a.wav", CLIP_BYTES)}
    return service.client.post(path, files=files, data=fields, headers=headers)


@pytest.mark.parametrize(
    "path",
    [
        f"{DEPLOYMENT}/transcriptions?{VERSION}",
        f"{DEPLOYMENT}/transcriptions/?{VERSION}",
        f"/openai/deployments/Systran%2Ffaster-whisper-base/audio/transcriptions?{VERSION}",
        f"/openai/audio/transcriptions?{VERSION}",
        f"/v1/deployments/my-whisper/audio/transcriptions?{VERSION}",
        f"/openai/v1/deployments/my-whisper/audio/transcriptions?{VERSION}",
        "/openai/v1/audio/transcriptions",
        "/openai/v1/audio/transcriptions?api-version=preview",
    ],
)
def test_a_form_without_a_model_is_transcribed(service: InProcess, path: str) -> None:
    answer = post(service, path)
    assert (answer.status_code, answer.json()["text"]) == (200, "hello")
    assert not any("api-version" in warning for warning in answer.json().get("warnings", ()))


def test_translations_have_their_own_path(service: InProcess) -> None:
    answer = post(service, f"{DEPLOYMENT}/translations?{VERSION}", response_format="verbose_json")
    assert answer.json()["task"] == "translate"
    assert service.transcriber.jobs[0].options.task is Task.TRANSLATE


@pytest.mark.parametrize("prefix", ["/openai", "/v1", "/openai/v1"])
def test_the_deployment_is_the_model_whatever_the_form_says(tmp_path: Path, prefix: str) -> None:
    strict = ModelSettings(unknown_models="reject", model_aliases=("my-whisper=whisper-base",))
    with in_process(tmp_path, model=strict) as service:
        path = f"{prefix}/deployments/{{}}/audio/transcriptions?{VERSION}"
        assert post(service, path.format("my-whisper"), model="nonsense").status_code == 200
        refused = post(service, path.format("other"), model="whisper-1")
        assert refused.status_code == 404
        error = refused.json()["error"]
        assert (error["code"], error["param"]) == ("model_not_found", "model")


def test_a_deployment_s_name_can_request_speakers(service: InProcess) -> None:
    path = "/openai/deployments/gpt-4o-transcribe-diarize/audio/transcriptions"
    answer = post(service, path, response_format="diarized_json")
    assert answer.json()["task"] == "transcribe"


def test_models_are_listed_and_found(service: InProcess) -> None:
    listed = service.client.get("/v1/models").json()
    for path in (f"/openai/models?{VERSION}", "/openai/v1/models"):
        assert service.client.get(path).json() == listed
    assert service.client.get("/openai/models/whisper-1").json()["id"] == "whisper-1"


def test_the_key_is_in_a_header_of_its_own(tmp_path: Path) -> None:
    path = f"{DEPLOYMENT}/transcriptions?{VERSION}"
    with in_process(tmp_path, api_keys=keys("alice:secret")) as service:
        for headers, status in (
            ({"api-key": "secret"}, 200),
            ({"Authorization": "Bearer secret"}, 200),
            ({"api-key": "wrong"}, 401),
            ({}, 401),
        ):
            answer = post(service, path, headers)
            assert answer.status_code == status
            assert status == 200 or answer.json()["error"]["code"] == "invalid_api_key"
        secret = service.client.post(
            f"/openai/realtime/client_secrets?{VERSION}", headers={"api-key": "secret"}
        ).json()["value"]
        assert post(service, path, {"api-key": secret}).status_code == 200
        assert {job.client for job in service.transcriber.jobs} == {"alice"}


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("POST", f"/openai/deployments/gpt/chat/completions?{VERSION}", 404, "not_found"),
        ("POST", "/openai/deployments//audio/speech", 404, "not_found"),
        ("POST", f"/v1/deployments/gpt/chat/completions?{VERSION}", 404, "not_found"),
        ("GET", "/v1/deployments/gpt/audio/transcriptions", 405, "method_not_allowed"),
        ("GET", f"{DEPLOYMENT}/transcriptions", 405, "method_not_allowed"),
        ("POST", f"{DEPLOYMENT}/transcriptions", 400, "bad_request"),
        ("GET", "/openai/models/%00", 404, "model_not_found"),
    ],
)
def test_errors_have_openai_s_format(
    tmp_path: Path, method: str, path: str, status: int, code: str
) -> None:
    with in_process(tmp_path, model=ModelSettings(unknown_models="reject")) as service:
        answer = service.client.request(method, path)
    assert answer.status_code == status
    assert answer.json()["error"]["code"] == code
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


@pytest.mark.parametrize(
    "path",
    [
        f"/openai/realtime?{VERSION}&deployment=my-model",
        f"/openai/realtime?{VERSION}&deployment=my-model&intent=transcription&model=other",
        "/openai/v1/realtime?model=my-model",
    ],
)
async def test_realtime_has_the_deployment_as_its_model(tmp_path: Path, path: str) -> None:
    async with live(tmp_path, api_keys=keys("alice:secret")) as service:
        url = f"ws://127.0.0.1:{service.port}{path}"
        async with connect(url, additional_headers={"api-key": "secret"}, proxy=None) as socket:
            caller = Caller(socket)
            created = await caller.until("session.created")
            audio = base64.b64encode(bytes(2**20)).decode()  # more than others may send
            await caller.tell("input_audio_buffer.append", audio=audio)
            await caller.tell("input_audio_buffer.commit")
            await caller.until("input_audio_buffer.committed")
        transcription = created["session"]["audio"]["input"]["transcription"]
        assert transcription["model"] == "my-model"
        with pytest.raises(InvalidStatus) as refused:
            await connect(url, additional_headers={"api-key": "wrong"}, proxy=None)
        assert refused.value.response.status_code == 401
        assert b"invalid_api_key" in refused.value.response.body


def test_without_realtime_files_are_transcribed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rest = tuple(api for api in find_apis() if api.name != "openai_realtime")
    monkeypatch.setattr(fakes, "installed_apis", lambda: rest)
    with in_process(tmp_path) as service:
        assert post(service, f"{DEPLOYMENT}/transcriptions").json()["text"] == "hello"
        assert service.client.get("/openai/models").status_code == 200
        assert service.client.post("/openai/realtime/client_secrets").status_code == 404


def test_the_header_does_in_the_place_of_authorization() -> None:
    ring = Keyring(keys("alice:secret-a", "bob:secret-b"), style=STYLE)
    assert ring.identify(Headers({"api-key": " secret-a "}), now=NOW) == "alice"
    both = Headers({"authorization": "Bearer secret-b", "api-key": "secret-a"})
    assert ring.identify(both, now=NOW) == "bob"
    other = Headers({"authorization": "Basic c2VjcmV0", "api-key": "secret-a"})  # a proxy's
    assert ring.identify(other, now=NOW) == "alice"
    assert ring.issue_token(Headers({"api-key": "secret-a"}), 60, now=NOW)
    ring.check_is_key(Headers({"api-key": "secret-a"}))
