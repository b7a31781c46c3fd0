"""Vocabularies over HTTP, in the sessions and files of their key."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from auricle.apis.registry import find_apis
from auricle.config.sections.ledger import LedgerSettings
from auricle.text.filters.registry import FILTERS
from auricle.vocabularies.content import PHRASES
from auricle.vocabularies.http_api import API
from auricle.vocabularies.stored import MAX_VOCABULARIES
from tests.support.service import InProcess, in_process, keys, speech_json
from tests.support.transcriber import heard

pytestmark = pytest.mark.unit

ALICE = {"authorization": "Bearer alice-key"}
BOB = {"authorization": "Bearer bob-key"}
API_KEYS = keys("alice:alice-key", "bob:bob-key")
PATH = "/v1/vocabularies"
SCRIPTS = ["Zyntrix", "Ελένη", "Олена", "שרה", "فاطمة", "रवि", "美咲", "수빈", "ნინო", "ไพลิน"]
NAMES: dict[str, Any] = {
    "terms": ["Zyntrix", {"term": "Ørsted", "sounds_like": ["orsted"]}],
    "replacements": [{"from": "ok", "to": "OK"}],
}


@pytest.fixture
def service(tmp_path: Path) -> Iterator[InProcess]:
    ledger = LedgerSettings(state_dir=tmp_path / "state")
    with in_process(tmp_path, ledger=ledger, api_keys=API_KEYS) as started:
        yield started


def put(service: InProcess, name: str = "names", **fields: Any) -> Any:
    response = service.client.put(f"{PATH}/{name}", json=NAMES | fields, headers=ALICE)
    assert response.status_code == 200
    return response.json()


def test_a_vocabulary_is_stored_listed_read_changed_and_deleted(service: InProcess) -> None:
    stored = put(service)
    assert [each["term"] for each in stored["terms"]] == ["Zyntrix", "Ørsted"]
    assert stored["replacements"] == NAMES["replacements"]
    assert (stored["default"], stored["term_count"], stored["replacement_count"]) == (False, 2, 1)
    listed = service.client.get(PATH, headers=ALICE).json()["vocabularies"]
    whole = ("terms", "replacements", "recent_terms")
    assert listed == [{k: v for k, v in stored.items() if k not in whole}]
    change = {"add": ["Digique"], "remove": ["zyntrix"], "default": True}
    service.client.patch(f"{PATH}/names", json=change, headers=ALICE)
    read = service.client.get(f"{PATH}/names", headers=ALICE).json()
    assert [each["term"] for each in read["terms"]] == ["Ørsted", "Digique"]
    assert (read["default"], read["replacements"]) == (True, NAMES["replacements"])
    for status in (204, 404):
        assert service.client.delete(f"{PATH}/names", headers=ALICE).status_code == status
    assert service.client.get(f"{PATH}/names", headers=ALICE).status_code == 404


def test_replacements_are_changed_alone(service: InProcess) -> None:
    put(service)
    change = {"add_replacements": [{"from": "uh", "to": ""}], "remove_replacements": ["OK"]}
    changed = service.client.patch(f"{PATH}/names", json=change, headers=ALICE).json()
    assert changed["replacements"] == [{"from": "uh", "to": ""}]
    assert changed["term_count"] == 2


def test_csv_in_and_out(service: InProcess) -> None:
    headers = ALICE | {"content-type": "text/csv; charset=utf-8"}
    sent = "term,sounds_like,replaces\nZyntrix,sin tricks;zin tricks,\nOK,,ok\n"
    response = service.client.put(f"{PATH}/names", content=sent.encode(), headers=headers)
    assert response.json()["terms"][0]["sounds_like"] == ["sin tricks", "zin tricks"]
    response = service.client.get(f"{PATH}/names?format=csv", headers=ALICE)
    assert (response.text, response.headers["content-type"]) == (sent, "text/csv; charset=utf-8")
    assert service.client.get(f"{PATH}/names?format=xml", headers=ALICE).status_code == 400


def test_a_key_has_one_default_vocabulary_and_a_new_content_keeps_it(service: InProcess) -> None:
    put(service, "first", default=True)
    put(service, "second", default=True)
    put(service, "second")
    listed = service.client.get(PATH, headers=ALICE).json()["vocabularies"]
    assert [(each["name"], each["default"]) for each in listed] == [
        ("first", False),
        ("second", True),
    ]


def test_the_marks_of_sentences_stay_until_they_are_changed(service: InProcess) -> None:
    def marks(method: str, body: Any = None, **options: Any) -> tuple[bool, bool]:
        response = service.client.request(method, f"{PATH}/names", json=body, **options)
        return response.json()["capitalize"], response.json()["final_period"]

    headers = {"headers": ALICE}
    assert marks("PUT", {}, **headers) == (True, True)
    assert marks("PUT", {"capitalize": False}, **headers) == (False, True)
    assert marks("PUT", NAMES, **headers) == (False, True)
    assert marks("PATCH", {"add": ["Digique"], "final_period": False}, **headers) == (False, False)
    service.client.put(
        f"{PATH}/names", content="Anna", headers=ALICE | {"content-type": "text/csv"}
    )
    assert marks("GET", **headers) == (False, False)
    assert marks("PATCH", {"capitalize": True}, **headers) == (True, False)


@pytest.mark.skipif(PHRASES not in FILTERS, reason="without the filter")
def test_a_program_that_sends_nothing_gets_phrases(service: InProcess) -> None:
    def written(said: str) -> str:
        service.transcriber.script = [lambda job: heard(said, job)]
        response = service.client.post("/utterance", json=speech_json(), headers=ALICE)
        return str(response.json()["text"])

    assert written("The end.") == "The end."
    put(service, default=True, capitalize=False, final_period=False)
    assert written("The end.") == "the end"
    assert written("Zyntrix won.") == "Zyntrix won"


def test_each_key_has_its_own(service: InProcess) -> None:
    put(service)
    assert service.client.get(PATH, headers=BOB).json() == {"vocabularies": []}
    for method in ("GET", "DELETE"):
        response = service.client.request(method, f"{PATH}/names", headers=BOB)
        assert (response.status_code, response.json()["error"]["code"]) == (404, "not_found")
    url = "/utterance?vocabulary=names"
    response = service.client.post("/utterance", json=speech_json(vocabulary="names"), headers=BOB)
    assert (response.status_code, response.json()["error"]["code"]) == (404, "not_found"), url


def test_a_name_of_another_key_is_free(service: InProcess) -> None:
    before = put(service)
    path = f"{PATH}/names"
    assert service.client.patch(path, json={"remove": ["Zyntrix"]}, headers=BOB).status_code == 404
    service.client.put(path, json={"terms": ["Digique"]}, headers=BOB).raise_for_status()
    service.client.patch(path, json={"add": ["Anna"]}, headers=BOB).raise_for_status()
    assert service.client.delete(path, headers=BOB).status_code == 204
    assert service.client.get(path, headers=ALICE).json() == before


def test_names_in_any_script_come_back_as_json_and_as_csv(service: InProcess) -> None:
    put(service, terms=SCRIPTS)
    read = service.client.get(f"{PATH}/names", headers=ALICE).json()
    assert [each["term"] for each in read["terms"]] == SCRIPTS
    csv = service.client.get(f"{PATH}/names?format=csv", headers=ALICE).content
    headers = ALICE | {"content-type": "text/csv"}
    copy = service.client.put(f"{PATH}/copy", content=csv, headers=headers).json()
    assert [each["term"] for each in copy["terms"]] == SCRIPTS


def test_a_token_reads_no_vocabulary(service: InProcess) -> None:
    token = service.client.post("/v1/auth/token", json={}, headers=ALICE).json()["token"]
    headers = {"authorization": f"Bearer {token}"}
    assert service.client.get(PATH, headers=headers).status_code == 401


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"terms": ["\u0000"]}, "terms"),
        ({"terms": ["a\u001bb"]}, "terms"),
        ({"terms": ["\u202eabc"]}, "terms"),
        ({"terms": ["x"] * 5001}, "terms"),
        ({"terms": [f"term {number}" for number in range(10_000)]}, "terms"),
        ({"terms": ["x" * 101]}, "terms"),
        ({"terms": [{"term": "x", "sounds_like": ["y"] * 11}]}, "sounds_like"),
        ({"terms": [{"term": "x", "sound": "y"}]}, "sound"),
        ({"replacements": [{"from": "", "to": "x"}]}, "from"),
        ({"words": []}, "words"),
        ({"capitalize": "no"}, "capitalize"),
        ({"final_period": 0}, "final_period"),
        ([], "object"),
    ],
)
def test_invalid_vocabularies_are_refused(service: InProcess, body: Any, field: str) -> None:
    response = service.client.put(f"{PATH}/names", json=body, headers=ALICE)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "bad_request")
    assert field in response.json()["error"]["message"]


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    ("name", "status"),
    [
        *((name, 400) for name in ("a%20b", "-a", "%C3%A4", "a" * 65, "a" * 300)),
        *((name, 400) for name in ("a%0A", "%00", "..%2f")),
        *((name, 404) for name in ("..%2F..%2Fetc", "%2e%2e%2fnames", "names%2Fx")),
    ],
)
def test_other_names_are_refused(service: InProcess, method: str, name: str, status: int) -> None:
    before = put(service)
    body: Any = None if method in ("GET", "DELETE") else {"replacements": []}
    response = service.client.request(method, f"{PATH}/{name}", headers=ALICE, json=body)
    assert response.status_code == status
    assert response.json()["error"]["code"] == {400: "bad_request", 404: "not_found"}[status]
    listed = service.client.get(PATH, headers=ALICE).json()["vocabularies"]
    assert [each["name"] for each in listed] == ["names"]
    assert service.client.get(f"{PATH}/names", headers=ALICE).json() == before


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize("is_announced", [True, False])
def test_large_bodies_are_refused(service: InProcess, method: str, is_announced: bool) -> None:
    part = b"x" * 1_000_000
    content = part * 5 if is_announced else itertools.repeat(part, 100)
    response = service.client.request(method, f"{PATH}/names", content=content, headers=ALICE)
    assert (response.status_code, response.json()["error"]["code"]) == (413, "too_large")
    assert service.client.get(PATH, headers=ALICE).json() == {"vocabularies": []}


def test_the_number_of_a_key_is_limited(service: InProcess) -> None:
    for number in range(MAX_VOCABULARIES):
        put(service, f"v{number}")
    response = service.client.put(f"{PATH}/more", json=NAMES, headers=ALICE)
    assert "delete one first" in response.json()["error"]["message"]
    put(service, "v0")


def test_a_file_uses_the_vocabulary_that_it_names_or_the_default_one(service: InProcess) -> None:
    def expected(**fields: Any) -> tuple[str, ...]:
        response = service.client.post("/utterance", json=speech_json(**fields), headers=ALICE)
        assert response.status_code == 200
        return service.transcriber.jobs[-1].options.hotwords

    assert expected() == ()
    put(service)
    assert expected() == ()
    assert expected(vocabulary="names", hotwords=["Anna"]) == ("Anna", "Zyntrix", "Ørsted")
    put(service, default=True)
    assert expected() == ("Zyntrix", "Ørsted")
    service.client.delete(f"{PATH}/names", headers=ALICE)
    assert expected() == ()


def test_deleted_terms_leave_the_disk(service: InProcess, tmp_path: Path) -> None:
    secret = "Zyntrix-of-the-north"

    def is_on_disk() -> bool:
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        return any(secret.encode() in path.read_bytes() for path in files)

    put(service, terms=[secret])
    assert is_on_disk()
    service.client.delete(f"{PATH}/names", headers=ALICE)
    service.state.storage.database.close()
    assert not is_on_disk()


def test_the_api_is_found_and_its_routes_are_documented(service: InProcess) -> None:
    assert API in find_apis()
    paths = service.client.get("/openapi.json", headers=ALICE).json()["paths"]
    assert set(paths[f"{PATH}/{{name}}"]) == {"get", "put", "patch", "delete"}
    assert all(each["tags"] == [API.title] for each in paths[PATH].values())
