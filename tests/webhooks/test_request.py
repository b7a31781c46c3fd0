import base64
import hashlib
import hmac

import pytest

from auricle.values.errors import BadRequest
from auricle.webhooks.request import (
    MAX_URL_CHARACTERS,
    Payload,
    check_callback_url,
    is_public,
    new_request,
    secret_of_owner,
    signature,
    written_secret,
)

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.255.255.254", "169.254.169.254"),
        *("172.16.0.1", "172.31.255.255", "192.168.1.1", "198.18.0.1", "203.0.113.1"),
        *("224.0.0.1", "240.0.0.1", "255.255.255.255"),
        *("::", "::1", "fe80::1", "fc00::1", "fd12::1", "fec0::1", "ff02::1", "2001:db8::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254"),  # IPv4-mapped
        *("::127.0.0.1", "::10.0.0.1"),  # IPv4-compatible
        *("2002:7f00:1::", "2002:a9fe:a9fe::"),  # 6to4
        *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1"),  # NAT64
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",  # Teredo
    ],
)
def test_private_reserved_and_embedded_private_addresses_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"],
)
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        *("", "receiver.example", "/path", "ftp://receiver.example", "file:///etc/passwd"),
        *("https://", "https://:443/", "https://receiver.example:99999", "https://[::1"),
        *("https://user:password@receiver.example", "https://user@receiver.example"),
        *("https://receiver.example/a b", "https://receiver.example/\n", "https://ré.example"),
        f"https://receiver.example/{'a' * MAX_URL_CHARACTERS}",
        *("http://127.0.0.1", "http://[::1]:8080", "http://169.254.169.254/latest/meta-data"),
        *("http://[::ffff:10.0.0.1]", "http://localhost", "http://api.localhost.:80"),
        *("http://127.1", "http://0x7f000001", "http://0x7F.0.0.1", "http://017700000001"),
        *("http://2130706433:80", "http://127.0.0.1.", "http://0", "http://0251.0376.43518"),
    ],
)
def test_an_unusable_or_private_callback_url_is_refused(url: str) -> None:
    with pytest.raises(BadRequest) as error:
        check_callback_url(url, allow_private=False, field="callback_url")

    assert error.value.field == "callback_url"


def test_a_public_callback_url_is_accepted_and_a_private_one_if_that_is_allowed() -> None:
    public, private = "https://receiver.example:8443/hook?job=1", "http://127.0.0.1:9000/hook"

    check_callback_url(public, allow_private=False, field="callback_url")
    for host in ("1.1.1.1", "0x01010101", "16843009", "1.1.257", "3com.example", "0x7f.example"):
        check_callback_url(f"http://{host}/", allow_private=False, field="callback_url")
    check_callback_url(private, allow_private=True, field="callback_url")


def test_the_signature_is_that_of_the_standard_webhooks_specification() -> None:
    # The example of the specification's reference libraries.
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'

    assert signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body) == (
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


def test_a_request_is_signed_over_its_id_time_and_body() -> None:
    payload = Payload("PUT", b"{}")
    request = new_request("https://r.example", payload, event_id="e", secret=b"s", timestamp=5)
    expected = base64.b64encode(hmac.digest(b"s", b"e.5.{}", hashlib.sha256)).decode()

    assert request.headers["webhook-signature"] == f"v1,{expected}"
    assert (request.headers["webhook-id"], request.headers["webhook-timestamp"]) == ("e", "5")
    assert (request.method, request.body) == ("PUT", b"{}")


def test_each_key_has_its_own_secret() -> None:
    secrets = {secret_of_owner(b"server", owner) for owner in ("a", "b")}

    assert len(secrets) == 2
    assert all(written_secret(secret).startswith("whsec_") for secret in secrets)
