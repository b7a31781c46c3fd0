import hashlib
import math
import re
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.datastructures import Headers
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from auricle.apis.registry import find_apis
from auricle.server.access.key_file import StoredKey, add_key, hashed, parse_keys
from auricle.server.access.key_style import KeyStyle
from auricle.server.access.keyring import Keyring, Reader
from auricle.server.access.rate_limits import KeyLimits
from auricle.server.api_spec import reserved_clients
from auricle.values.errors import SetupError, TokenExpired, Unauthorized
from auricle.values.types import ANONYMOUS, ClientId
from tests.support.service import keys, live

pytestmark = pytest.mark.server

NOW = 1_700_000_000.0
RESERVED = reserved_clients(find_apis())
STYLE = KeyStyle.all_of(api.key_style for api in find_apis())


def bearer(key: str) -> Headers:
    return Headers({"Authorization": f"Bearer {key}"})


def stored(name: str, key: str) -> StoredKey:
    return StoredKey(name, hashed(key.encode()))


def test_without_keys_everybody_is_anonymous() -> None:
    ring = Keyring(())
    assert not ring.has_keys
    assert ring.identify(Headers({}), now=NOW) == ANONYMOUS
    assert ring.identify(bearer("whatever"), now=NOW) == ANONYMOUS


def test_a_key_with_a_name_gives_the_client_that_name() -> None:
    ring = Keyring(keys("alice:secret-a", "bob:secret-b"))
    assert ring.identify(bearer("secret-b"), now=NOW) == "bob"


def test_the_scheme_is_read_without_regard_to_case() -> None:
    ring = Keyring(keys("alice:secret"))
    assert ring.identify(Headers({"authorization": "bearer  secret"}), now=NOW) == "alice"


def test_the_key_may_be_a_password_where_that_is_accepted() -> None:
    ring = Keyring(keys("alice:secret", "bob:b"), style=STYLE)
    headers = Headers({"authorization": "Basic OnNlY3JldA=="})  # :secret
    assert ring.identify(headers, now=NOW, accepts_basic=True) == "alice"
    with pytest.raises(Unauthorized):
        ring.identify(headers, now=NOW)
    with pytest.raises(Unauthorized):
        ring.check_is_key(headers)
    both = Headers({"authorization": "Basic OnNlY3JldA==", "api-key": "b"})
    assert ring.identify(both, now=NOW, accepts_basic=True) == "bob"


def test_a_key_may_hold_a_colon_after_its_name() -> None:
    assert Keyring(keys("alice:a:b")).identify(bearer("a:b"), now=NOW) == "alice"


def test_a_key_may_hold_any_character() -> None:
    sent = "ключ".encode().decode("latin-1")
    assert Keyring(keys("alice:ключ")).identify(bearer(sent), now=NOW) == "alice"


def test_a_key_without_a_name_gets_one_that_does_not_reveal_the_key() -> None:
    client = Keyring(keys("topsecret")).identify(bearer("topsecret"), now=NOW)
    assert client.startswith("key-")
    assert client != Keyring(keys("another")).identify(bearer("another"), now=NOW)
    assert client == Keyring(keys("topsecret")).identify(bearer("topsecret"), now=NOW)
    digest = hashlib.sha256(b"topsecret").hexdigest()  # millions of keys can be tried against it
    assert client.removeprefix("key-") not in digest


@pytest.mark.parametrize(
    "headers",
    [
        Headers({}),
        bearer("wrong"),
        bearer(""),
        bearer("alice:secret"),
        bearer("clé"),
        bearer("tok1.1700000060.c2VjcmV0"),
        bearer("tok1."),
        Headers({"authorization": "Basic c2VjcmV0"}),
        Headers({"authorization": "secret"}),
    ],
)
def test_no_key_and_a_wrong_key_get_the_same_answer(headers: Headers) -> None:
    with pytest.raises(Unauthorized) as caught:
        Keyring(keys("alice:secret")).identify(headers, now=NOW)
    assert str(caught.value) == "Send a valid key: `Authorization: Bearer KEY`."


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_the_name_of_clients_without_a_key_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="reserved"):
        Keyring(keys(f"{name}:secret"), reserved=RESERVED)
    with pytest.raises(SetupError, match="reserved"):
        parse_keys(f"{name} sha256:{'a' * 64}", "keys", RESERVED)
    with pytest.raises(SetupError, match="reserved"):
        add_key(tmp_path / "keys", name, reserved=RESERVED)


@pytest.mark.parametrize("setting", ["alice:", ":secret"])
def test_half_a_setting_is_refused(setting: str) -> None:
    with pytest.raises(SetupError):
        Keyring(keys(setting))


def test_only_the_operators_key_is_the_operators() -> None:
    ring = Keyring(keys("alice:secret"), keys("root")[0])
    assert ring.is_operator(bearer("root"))
    assert not ring.is_operator(bearer("secret"))
    assert not Keyring(()).is_operator(bearer(""))
    with pytest.raises(Unauthorized):
        ring.identify(bearer("root"), now=NOW)


def test_a_token_does_in_the_place_of_its_key() -> None:
    ring = Keyring(keys("alice:secret-a", "bob:secret-b"), style=STYLE)
    token = ring.issue_token(bearer("secret-a"), 60, now=NOW)
    assert ring.identify(bearer(token), now=NOW + 59) == "alice"
    assert ring.identify(Headers({}), ["auricle", f"key.{token}"], now=NOW) == "alice"
    assert ring.identify(Headers({}), (), token, now=NOW) == "alice"


@pytest.mark.parametrize(
    "offered",
    [
        ["realtime", "openai-insecure-api-key.{}"],
        ["realtime", "openai-insecure-api-key.ek_{}", "openai-beta.realtime-v1"],
        ["token", "{}"],
        ["bearer", "{}"],
    ],
)
def test_browsers_of_other_services_give_keys_and_tokens_as_they_are_used_to(
    offered: list[str],
) -> None:
    ring = Keyring(keys("alice:secret-a", "bob:secret-b"), style=STYLE)
    token = ring.issue_token(bearer("secret-a"), 60, now=NOW)
    protocols = [name.format(token) for name in offered]
    assert ring.identify(Headers({}), protocols, now=NOW) == "alice"
    if "ek_" not in "".join(offered):
        protocols = [name.format("secret-b") for name in offered]
        assert ring.identify(Headers({}), protocols, now=NOW) == "bob"
    with pytest.raises(Unauthorized):
        ring.identify(Headers({}), [name.format("nope") for name in offered], now=NOW)
    with pytest.raises(Unauthorized):
        ring.identify(Headers({}), offered[:1], now=NOW)


def test_a_key_does_not_do_where_addresses_are_logged() -> None:
    with pytest.raises(Unauthorized):
        Keyring(keys("alice:secret")).identify(Headers({}), (), "secret", now=NOW)


def test_a_token_that_has_expired_is_distinguished_from_a_wrong_one() -> None:
    ring = Keyring(keys("alice:secret"))
    token = ring.issue_token(bearer("secret"), 60, now=NOW)
    with pytest.raises(TokenExpired):
        ring.identify(bearer(token), now=NOW + 60)
    with pytest.raises(Unauthorized):
        ring.identify(bearer(token + "x"), now=NOW + 60)


def test_a_token_is_good_for_each_server_with_its_key_and_dies_with_it() -> None:
    token = Keyring(keys("alice:secret")).issue_token(bearer("secret"), 60, now=NOW)
    assert Keyring(keys("bob:other", "al:secret")).identify(bearer(token), now=NOW) == "al"
    with pytest.raises(Unauthorized):
        Keyring(keys("alice:rotated")).identify(bearer(token), now=NOW)


def test_a_token_gets_no_other_and_is_not_the_operators() -> None:
    ring = Keyring(keys("alice:secret"), keys("root")[0])
    token = ring.issue_token(bearer("secret"), 60, now=NOW)
    for presented in (token, "root", "wrong", ""):
        with pytest.raises(Unauthorized):
            ring.issue_token(bearer(presented), 60, now=NOW)
    assert not ring.is_operator(bearer(token))


def test_without_keys_there_are_tokens_that_no_key_has_made() -> None:
    token = Keyring(()).issue_token(Headers({}), 60, now=NOW)
    assert Keyring(()).identify(bearer(token), now=NOW) == ANONYMOUS
    with pytest.raises(Unauthorized):
        Keyring(keys("alice:secret")).identify(bearer(token), now=NOW)


def test_a_key_of_the_file_does_as_one_of_the_settings_does() -> None:
    ring = Keyring(keys("alice:secret-a"), stored=[stored("bob", "secret-b")])
    assert ring.identify(bearer("secret-a"), now=NOW) == "alice"
    assert ring.identify(bearer("secret-b"), now=NOW) == "bob"
    token = ring.issue_token(bearer("secret-b"), 60, now=NOW)
    assert ring.identify(bearer(token), now=NOW) == "bob"
    assert Keyring(keys("b:secret-b")).identify(bearer(token), now=NOW) == "b"


def test_a_hash_is_no_key() -> None:
    bob = stored("bob", "secret-b")
    ring = Keyring((), stored=[bob])
    for presented in ("", "bob", bob.hash.hex(), bob.hash.decode("latin-1"), "sha256:"):
        with pytest.raises(Unauthorized, match="Send a valid key"):
            ring.identify(Headers({"Authorization": f"Bearer {presented}"}), now=NOW)


def test_a_file_without_keys_rejects_every_client() -> None:
    ring = Keyring((), stored=[])
    assert ring.has_keys
    with pytest.raises(Unauthorized):
        ring.identify(Headers({}), now=NOW)
    with pytest.raises(Unauthorized):
        ring.issue_token(Headers({}), 60, now=NOW)


def test_a_key_that_left_the_file_is_unknown_and_so_are_its_tokens() -> None:
    alice, bob = stored("alice", "secret-a"), stored("bob", "secret-b")
    ring = Keyring(keys("carol:secret-c"), stored=[alice, bob])
    of_alice, of_bob = (
        bearer(ring.issue_token(bearer(key), 60, now=NOW)) for key in ("secret-a", "secret-b")
    )
    ring.replace_stored([bob])
    for headers in (bearer("secret-a"), of_alice):
        with pytest.raises(Unauthorized):
            ring.identify(headers, now=NOW)
    assert ring.identify(bearer("secret-b"), now=NOW) == "bob"
    assert ring.identify(of_bob, now=NOW) == "bob"
    assert ring.identify(bearer("secret-c"), now=NOW) == "carol"
    ring.replace_stored([alice])
    assert ring.identify(of_alice, now=NOW) == "alice"


def test_a_keys_limits_are_those_of_its_line() -> None:
    limits = KeyLimits(requests=5)
    bob = StoredKey("bob", hashed(b"new"), limits)
    ring = Keyring(keys("alice:secret-a", "bob:secret-b"), stored=[bob])
    assert ring.limits_of(ClientId("bob")) == limits
    assert ring.limits_of(ClientId("alice")) == KeyLimits()
    assert ring.limits_of(ANONYMOUS) is None


SOCKETS = (
    "/v1/stream?format=pcm16",
    "/v1/realtime?intent=transcription",
    "/v1/listen",
    "/v2/listen",
)
WRONG = [
    {},
    {"authorization": "Bearer wrong"},
    {"authorization": "Bearer alice"},
    {"authorization": "Bearer"},
    {"authorization": "Basic c2VjcmV0"},
    {"authorization": "secret"},
    {"authorization": f"Bearer tok1.{2**40}.c2VjcmV0"},
    {"cookie": "key=secret", "x-api-key": "secret"},
]


def told(status: int, headers: Any, body: bytes | bytearray) -> tuple[int, dict[str, str], str]:
    """All of a refusal but what is another for each."""
    own = ("date", "x-request-id", "dg-request-id")
    kept = {k.lower(): v for k, v in headers.items() if k.lower() not in own}
    return status, kept, re.sub(r'"request_id":"[^"]*"', "", body.decode())


@pytest.mark.parametrize("others", [("bob:other",), ("bob:other", "alice:secret", "carol:third")])
async def test_in_each_dialect_a_refusal_reveals_no_keys(
    tmp_path: Path, others: tuple[str, ...]
) -> None:
    alices = {"authorization": "Bearer secret"}
    wrong = WRONG + ([] if "alice:secret" in others else [alices])
    async with live(tmp_path, api_keys=keys(*others)) as service:
        base = f"127.0.0.1:{service.port}"
        paths = service.app.openapi()["paths"]
        open_paths = {path for path in paths if "get" in paths[path]} - {"/jobs/{job_id}"}
        asked = [(m, path) for path in paths for m in paths[path] if path not in open_paths]
        asked += [("get", "/v1/models"), ("get", "/v1/models/whisper-1")]
        async with httpx2.AsyncClient(base_url=f"http://{base}") as client:
            for method, path in asked:
                refusals = [await client.request(method, path, headers=h) for h in wrong]
                answers = [told(r.status_code, r.headers, r.content) for r in refusals]
                assert answers[0][0] == 401
                assert "www-authenticate" in answers[0][1]
                assert all(answer == answers[0] for answer in answers), path
        for path in SOCKETS:
            answers = [await refused(f"ws://{base}{path}", headers) for headers in wrong]
            assert answers[0][0] == 401
            assert all(answer == answers[0] for answer in answers), path


async def refused(url: str, headers: dict[str, str]) -> tuple[int, dict[str, str], str]:
    with pytest.raises(InvalidStatus) as caught:
        async with connect(url, additional_headers=headers):
            pass
    response = caught.value.response
    return told(response.status_code, response.headers, response.body or b"")


def test_a_session_is_read_with_its_key_or_with_its_reading_token() -> None:
    ring = Keyring(keys("alice:secret-a", "bob:secret-b"))
    token = ring.issue_reading_token(bearer("secret-a"), "s1", 60, now=NOW)
    assert ring.identify_reader(bearer("secret-a"), "s1", now=NOW) == Reader(ClientId("alice"))
    for headers, in_url in ((bearer(token), ""), (Headers({}), token)):
        reader = ring.identify_reader(headers, "s1", in_url, now=NOW)
        assert reader == Reader(ClientId("alice"), math.ceil(NOW) + 60, token)
    with pytest.raises(TokenExpired):
        ring.identify_reader(bearer(token), "s1", now=NOW + 62)


def test_a_reading_token_does_nothing_else() -> None:
    ring = Keyring(keys("alice:secret"))
    token = ring.issue_reading_token(bearer("secret"), "s1", 60, now=NOW)
    for use in (
        lambda: ring.identify(bearer(token), now=NOW),
        lambda: ring.identify_reader(bearer(token), "s2", now=NOW),
        lambda: ring.issue_token(bearer(token), 60, now=NOW),
        lambda: ring.issue_reading_token(bearer(token), "s1", 60, now=NOW),
        lambda: ring.check_is_key(bearer(token)),
    ):
        with pytest.raises(Unauthorized):
            use()


def test_a_session_is_not_read_with_other_tokens_nor_with_a_key_in_the_address() -> None:
    ring = Keyring(keys("alice:secret"))
    token = ring.issue_token(bearer("secret"), 60, now=NOW)
    forged = ring.issue_reading_token(bearer("secret"), "s2", 60, now=NOW).replace("s2", "s1")
    for presented in (token, forged, "wrong", "", "tok2..s1.", "tok2.x.s1.é"):
        with pytest.raises(Unauthorized):
            ring.identify_reader(bearer(presented), "s1", now=NOW)
    with pytest.raises(Unauthorized):
        ring.identify_reader(Headers({}), "s1", "secret", now=NOW)


def test_without_keys_everybody_reads() -> None:
    ring = Keyring(())
    token = ring.issue_reading_token(Headers({}), "s1", 60, now=NOW)
    assert ring.identify_reader(Headers({}), "s1", token, now=NOW) == Reader(ANONYMOUS, None, token)
    assert ring.identify_reader(Headers({}), "s1", now=NOW) == Reader(ANONYMOUS)
