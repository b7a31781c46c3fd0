"""``auricle dev-cert``: create a certificate; browsers require HTTPS for the microphone."""

import ipaddress
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import platformdirs
import typer

from auricle.cli.support.console import results
from auricle.cli.support.setting_options import setting
from auricle.config.sections.server import ServerSettings
from auricle.config.settings import Settings
from auricle.values.errors import SetupError

DEFAULT_PORT: int = ServerSettings.model_fields["port"].default
CA_DAYS = 3650
CERTIFICATE_DAYS = 397
"""Apple's devices accept at most 825 days (support.apple.com/103769); public CAs issue no more."""

_PRIVATE = (
    *("DNS:localhost", "DNS:local", "DNS:internal", "DNS:home.arpa", "DNS:lan"),
    *("IP:127.0.0.0/255.0.0.0", "IP:10.0.0.0/255.0.0.0", "IP:172.16.0.0/255.240.0.0"),
    *("IP:192.168.0.0/255.255.0.0", "IP:169.254.0.0/255.255.0.0"),
    *("IP:fc00::/fe00::", "IP:fe80::/ffc0::"),
)
"""Names and addresses that the CA may certify, besides those it was created for."""

_OPENSSL_CONFIG = """
[req]
distinguished_name = subject
[subject]
[ca]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
nameConstraints = critical, {permitted}
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = {names}
"""
_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


def dev_cert(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Names and addresses besides this machine's.", show_default=False),
    ] = None,
    directory: Annotated[
        Path | None,
        typer.Option(help="Directory for the files.", show_default="the user's settings"),
    ] = None,
    port: Annotated[int | None, setting("port")] = None,
) -> None:
    """Create a certificate for this machine, and a private CA that issues it.

    For tests in your own network: clients must install the CA, which can certify private names and
    addresses only. Another run keeps the CA and issues a new certificate for the machine's current
    addresses; a running server loads it within a second.
    """
    settings = Settings.load({"port": port})
    shown_port = settings.server.port or _free_port()
    folder = directory or platformdirs.user_config_path("auricle") / "tls"
    own = [*machine_names(), *(names or [])]
    made = make_certificate(folder, own)
    results.print(_advice(folder, made, settings.server, shown_port), soft_wrap=True)


def make_certificate(folder: Path, names: list[str]) -> list[str]:
    """Write ``ca.crt``, ``ca.key``, ``server.crt`` and ``server.key`` to a folder.

    Returns:
        The names and addresses in the certificate, in the given order without duplicates.

    Raises:
        SetupError: openssl is missing or failed; the message says what to do.
    """
    alternative_names = list(dict.fromkeys(_alternative_name(name) for name in names))
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as name:
            _create_files(folder, Path(name), alternative_names)
    except OSError as error:
        raise SetupError(f"{folder} can't be written ({error.strerror}).") from error
    return [name.partition(":")[2] for name in alternative_names]


def machine_names() -> list[str]:
    """Return the names and addresses of this machine."""
    import psutil

    host = socket.gethostname()
    names = ["localhost", host, *([] if "." in host else [f"{host}.local"])]  # mDNS (RFC 6762)
    for addresses in psutil.net_if_addrs().values():
        for entry in addresses:
            if entry.family in (socket.AF_INET, socket.AF_INET6) and "%" not in entry.address:
                names.append(entry.address)
    return names


def _create_files(folder: Path, temporary: Path, alternative_names: list[str]) -> None:
    permitted = [
        *_PRIVATE,
        *(name if name[:3] == "DNS" else _single_address(name) for name in alternative_names),
    ]
    config = temporary / "config"
    config.write_text(
        _OPENSSL_CONFIG.format(
            names=", ".join(alternative_names),
            permitted=", ".join(f"permitted;{name}" for name in permitted),
        )
    )
    request, answer = temporary / "request", temporary / "server.crt"
    ca, ca_key = folder / "ca.crt", folder / "ca.key"
    key = temporary / "server.key"
    if not ca.exists():
        made, made_key = temporary / "ca.crt", temporary / "ca.key"
        _openssl(
            *("req", "-x509", "-config", config, "-extensions", "ca", *_NEW_KEY),
            *("-subj", f"/CN=Auricle CA of {socket.gethostname()}"[:64]),
            *("-keyout", made_key, "-out", made, "-days", CA_DAYS),
        )
        made_key.replace(ca_key)
        made.replace(ca)
    _openssl(
        *("req", "-new", "-config", config, *_NEW_KEY, "-subj", "/CN=Auricle"),
        *("-keyout", key, "-out", request),
    )
    _openssl(
        *("x509", "-req", "-in", request, "-CA", ca, "-CAkey", ca_key, "-out", answer),
        *("-days", CERTIFICATE_DAYS, "-set_serial", f"0x{os.urandom(16).hex()}"),
        *("-extfile", config, "-extensions", "server"),
    )
    try:
        _openssl("verify", "-CAfile", ca, answer)
    except SetupError as error:
        raise SetupError(
            f"The CA in {folder} was not created for all of these names: remove the folder to "
            "create a new CA, and install that on the clients."
        ) from error
    key.replace(folder / "server.key")
    answer.replace(folder / "server.crt")


def _openssl(*arguments: object) -> None:
    program = shutil.which("openssl")
    if program is None:
        raise SetupError("The program openssl is missing (Debian: apt-get install openssl).")
    done = subprocess.run(
        [program, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        umask=0o077 if os.name == "posix" else -1,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no error message"])[-1]
        raise SetupError(f"openssl {arguments[0]} failed: {last}")


def _alternative_name(name: str) -> str:
    """Return a name or address in openssl's notation for alternative names."""
    try:
        return f"IP:{ipaddress.ip_address(name)}"
    except ValueError:
        if not all(c.isalnum() or c in "-._" for c in name) or not name.isascii() or not name:
            raise SetupError(f"{name!r} is neither a name nor an address.") from None
        return f"DNS:{name.lower()}"


def _single_address(address: str) -> str:
    """Return the name constraint that permits one address."""
    is_six = address.count(":") > 1
    mask = ":".join(["ffff"] * 8) if is_six else "255.255.255.255"
    return f"{address}/{mask}"


def _program() -> str:
    """Return what starts this program in the user's shell: a path, if it isn't on the PATH."""
    program = sys.argv[0]
    found = shutil.which("auricle")
    if Path(program).name != "auricle" or (found and os.path.samefile(found, program)):
        return "auricle"
    return program


def _free_port() -> int:
    """Return a port that is free now: with port 0, no printed line would have the server's."""
    with socket.create_server(("", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _advice(folder: Path, names: list[str], settings: ServerSettings, port: int) -> str:
    reachable = [name for name in names if name not in ("localhost", "127.0.0.1", "::1")]
    lan = next((name for name in reachable if name.count(".") == 3), names[0])
    option = "" if port == DEFAULT_PORT else f" --port {port}"
    keys = "" if settings.has_keys else f"AURICLE_API_KEYS=me:{secrets.token_hex(8)} "
    ask = "one of the server's keys" if settings.has_keys else "the key after `me:`"
    auricle = _program()
    ca, key, certificate = folder / "ca.crt", folder / "server.key", folder / "server.crt"
    return f"""\
Created in {folder}, for {", ".join(names)}.

Start the server (access from other machines requires a key):
  {keys}{auricle} serve --host 0.0.0.0{option} --tls-cert {certificate} --tls-key {key}

From the command line:
  SSL_CERT_FILE={ca} {auricle} live --url https://localhost:{port} --mic
  curl --cacert {ca} https://localhost:{port}/livez

In browsers, which require HTTPS for the microphone: copy {ca}, and no other file, to the
phone or computer, and install it there:
  Android  Settings > Security > Encryption & credentials > Install a certificate > CA certificate
  iPhone   open the file, install it in Settings > General > VPN & Device Management, then switch it
           on in Settings > General > About > Certificate Trust Settings
  desktop  the browser's settings, under certificates: authorities
Then open https://{lan}:{port} there, press Start, and enter {ask}.

The CA can certify these names and private networks only. Keep its key secret nevertheless:
{folder / "ca.key"}
"""
