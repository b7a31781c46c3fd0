"""``auricle dev-cert``, and a server with its certificate."""

import os
import re
import socket
import ssl
import stat
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from auricle.cli.dev_cert import machine_names, make_certificate
from auricle.values.errors import SetupError
from tests.cli.conftest import Run
from tests.support.clips import CLIPS
from tests.support.command import command, environment, serving
from tests.support.service import WAV

pytestmark = pytest.mark.process

LIMIT_S = 120


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "tls"
    make_certificate(folder, [*machine_names(), "captions.example", "203.0.113.9", "2001:db8::9"])
    return folder


@pytest.fixture(scope="module")
def served(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run a server with the certificate and return its URL."""
    files = ("--tls-cert", str(made / "server.crt"), "--tls-key", str(made / "server.key"))
    with serving(tmp_path_factory.mktemp("served"), *files, host="localhost") as (server, url):
        assert url.startswith("https://localhost:")
        yield url


def test_it_prints_what_to_run_and_what_to_do_on_the_phone(auricle: Run, tmp_path: Path) -> None:
    result = auricle("dev-cert", "--directory", str(tmp_path / "tls"), "captions.example")
    assert result.exit_code == 0
    assert re.search(r"^  AURICLE_API_KEYS=me:[0-9a-f]{16} \S*auricle serve ", result.stdout, re.M)
    for part in (
        f"--tls-cert {tmp_path}/tls/server.crt --tls-key {tmp_path}/tls/server.key",
        f"SSL_CERT_FILE={tmp_path}/tls/ca.crt",
        "captions.example",
        socket.gethostname(),
        "Android",
        "iPhone",
    ):
        assert part in result.stdout


def test_a_server_with_keys_needs_no_other(
    auricle: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AURICLE_API_KEYS", "anna:secret")
    printed = auricle("dev-cert", "--directory", str(tmp_path / "tls")).stdout
    assert "AURICLE_API_KEYS" not in printed
    assert "one of the server's keys" in printed


def test_a_program_that_is_not_on_the_path_is_printed_with_its_own(
    auricle: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", [".venv/bin/auricle", "dev-cert"])
    monkeypatch.setenv("PATH", "/usr/bin")
    printed = auricle("dev-cert", "--directory", str(tmp_path / "tls")).stdout
    assert " .venv/bin/auricle serve " in printed


def test_the_port_in_what_it_prints_is_the_servers(
    auricle: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AURICLE_PORT", "7443")
    printed = auricle("dev-cert", "--directory", str(tmp_path / "tls")).stdout
    assert "auricle serve --host 0.0.0.0 --port 7443 --tls-cert" in printed
    assert printed.count(":7443") == 3
    assert "6007" not in printed
    printed = auricle("dev-cert", "--directory", str(tmp_path / "tls"), "--port", "8443").stdout
    assert printed.count(":8443") == 3
    assert "7443" not in printed


def test_a_port_that_the_server_would_choose_is_chosen_for_all_lines(
    auricle: Run, tmp_path: Path
) -> None:
    printed = auricle("dev-cert", "--directory", str(tmp_path / "tls"), "--port", "0").stdout
    found = re.search(r"auricle serve --host 0\.0\.0\.0 --port (\d+) --tls-cert", printed)
    assert found
    assert int(found[1]) > 0
    assert printed.count(f":{found[1]}") == 3


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_only_the_owner_can_read_the_keys(made: Path) -> None:
    assert {path.name for path in made.iterdir()} == {
        "ca.crt",
        "ca.key",
        "server.crt",
        "server.key",
    }
    for name in ("ca.key", "server.key"):
        assert stat.S_IMODE((made / name).stat().st_mode) == 0o600
    assert stat.S_IMODE(made.stat().st_mode) == 0o700


def test_asked_again_the_ca_stays_and_the_certificate_is_made_again(tmp_path: Path) -> None:
    make_certificate(tmp_path, ["localhost", "captions.example"])
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    make_certificate(tmp_path, ["localhost", "10.1.2.3", "nas.local"])
    after = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"server.crt", "server.key"}


def test_the_ca_is_restricted_to_its_names(tmp_path: Path) -> None:
    make_certificate(tmp_path, ["localhost", "captions.example"])
    before = (tmp_path / "server.crt").read_bytes()
    for other in ("bank.example", "203.0.113.9", "2001:db8::9"):
        with pytest.raises(SetupError, match="was not created for all of these names"):
            make_certificate(tmp_path, ["localhost", other])
    assert (tmp_path / "server.crt").read_bytes() == before


@pytest.mark.parametrize("name", ["", "a,DNS:b", "a b", "ä.example", "https://a", "a/CN=b", "*"])
def test_an_invalid_name_is_reported(tmp_path: Path, name: str) -> None:
    with pytest.raises(SetupError, match="neither a name nor an address"):
        make_certificate(tmp_path, [name])


def test_without_openssl_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SetupError, match="openssl"):
        make_certificate(tmp_path / "tls", ["localhost"])


def test_a_client_that_trusts_the_ca_is_served_over_https(served: str, made: Path) -> None:
    context = ssl.create_default_context(cafile=made / "ca.crt")
    clip = CLIPS["fellow.wav"].path.read_bytes()
    answer = httpx2.post(
        f"{served}/utterance", content=clip, headers=WAV, verify=context, timeout=LIMIT_S
    )
    assert answer.status_code == 200
    with pytest.raises(httpx2.ConnectError, match="certificate"):
        httpx2.get(f"{served}/livez")


@pytest.mark.parametrize("command_name", ["transcribe", "live"])
def test_the_commands_trust_what_ssl_cert_file_names(
    served: str, made: Path, tmp_path: Path, command_name: str
) -> None:
    arguments = (command_name, "--url", served, *(["--fast"] if command_name == "live" else []))
    arguments = (*arguments, str(CLIPS["fellow.wav"].path))
    environ = environment(tmp_path)
    environ.pop("SSL_CERT_FILE", None)
    with command(*arguments, environ=environ) as stranger:
        assert stranger.wait() == 2
        assert "SSL_CERT_FILE" in stranger.stderr
    with command(*arguments, environ=environ | {"SSL_CERT_FILE": str(made / "ca.crt")}) as friend:
        assert friend.wait() == 0
        assert friend.stdout.strip()
