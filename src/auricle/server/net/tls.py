"""TLS: the certificate, which may be renewed while the server runs.

TLS 1.2 and later. New connections get the certificate that is in the files by then, and those that
are there live on. What can't be used changes nothing, and the log says so.

asyncio gives each connection 256 KiB to read into, from its first byte on and before anybody has
shown a key: a thousand that say nothing would hold 256 MB. A record of TLS has 16 KiB, and so much
is enough.
"""

import asyncio.sslproto
import ssl
import stat
from pathlib import Path
from typing import Any

import structlog

from auricle.config import ServerSettings
from auricle.errors import SetupError
from auricle.server.net.file_watch import CHECK_INTERVAL_S, is_open_to_others, watch_files

HANDSHAKE_S = 10.0
"""How long a client may take for its part of the handshake; asyncio itself gives it a minute."""
SHUTDOWN_S = 60.0
"""How long a client may take to read the rest of its answer, and to say goodbye."""
MAX_FILE_BYTES = 2**20

_READ_BYTES = 16 * 1024

_log = structlog.get_logger("auricle.server")


class _Renewable(ssl.SSLContext):
    """For sockets that stay open: gives each new connection the context of the day.

    A callback at the client's hello could do that, too; but the ssl module prints a traceback for
    each name there that is none, so that strangers could fill the log.
    """

    current: ssl.SSLContext

    def wrap_bio(self, *arguments: Any, **named: Any) -> ssl.SSLObject:
        """Begin TLS; asyncio calls it once for a connection."""
        return self.current.wrap_bio(*arguments, **named)


class Certificate:
    """A certificate and its key, as they are in their files."""

    def __init__(self, certificate: Path, key: Path) -> None:
        """Read both.

        Raises:
            SetupError: They can't be used.
        """
        self._files = certificate, key
        self._context = _Renewable(ssl.PROTOCOL_TLS_SERVER)
        self._context.current = _loaded(certificate, key)
        asyncio.sslproto.SSLProtocol.max_size = _READ_BYTES

    @property
    def context(self) -> ssl.SSLContext:
        """For the sockets."""
        return self._context

    @classmethod
    def of(cls, settings: ServerSettings) -> "Certificate | None":
        """Return that of the settings; ``None`` if they name none.

        Raises:
            SetupError: It can't be used, or only half of it is named.
        """
        certificate, key = settings.tls_cert, settings.tls_key
        if certificate is None and key is None:
            return None
        if certificate is None or key is None:
            raise SetupError(
                "TLS takes two files: --tls-cert (AURICLE_TLS_CERT), the certificate with those "
                "that vouch for it, and --tls-key (AURICLE_TLS_KEY), its private key."
            )
        return cls(certificate, key)

    async def follow(self, *, check_interval_s: float = CHECK_INTERVAL_S) -> None:
        """Take what is in the files whenever they change; runs until it is cancelled."""
        await watch_files(self._files, self._reload, check_interval_s=check_interval_s)

    def _reload(self) -> None:
        certificate, key = self._files
        try:
            self._context.current = _loaded(certificate, key)
        except SetupError as error:
            _log.warning("tls_certificate_unusable", reason=str(error), certificate="as before")
            return
        _log.info("tls_certificate_read")
        if is_open_to_others(key):
            _log.warning("tls_key_open_to_others", advice=f"chmod 600 {key}")


def _loaded(certificate: Path, key: Path) -> ssl.SSLContext:
    for path, variable in ((certificate, "AURICLE_TLS_CERT"), (key, "AURICLE_TLS_KEY")):
        _check_file(path, variable)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION  # a client could make us compute for ever
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(certificate, key, password=_no_passphrase)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise SetupError(
                f"The key in {key} is not that of the certificate in {certificate}, the first one "
                "there: give both of the same issue, and the server's own certificate first."
            ) from error
        raise SetupError(
            f"{certificate} and {key} can't be used as certificate and private key in PEM form "
            f"({(error.reason or 'unreadable').lower().replace('_', ' ')})."
        ) from error
    except OSError as error:
        raise SetupError(f"{certificate} or {key} is gone ({error.strerror}).") from error
    return context


def _check_file(path: Path, variable: str) -> None:
    """Say which file can't be read, as the ssl module doesn't, and wait for no pipe."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode) or found.st_size > MAX_FILE_BYTES:
            raise SetupError(f"{variable}: {path} is no file of certificates or keys.")
        path.open("rb").close()
    except FileNotFoundError as error:
        raise SetupError(
            f"{variable}: there is no {path}. For a certificate of your own: make dev-cert."
        ) from error
    except OSError as error:
        raise SetupError(
            f"{variable}: {path} can't be read ({error.strerror}): the user that Auricle runs as "
            "has to be able to."
        ) from error


def _no_passphrase() -> str:
    raise SetupError(
        "The TLS key is encrypted, and nobody is there to type its passphrase: take it off with "
        "`openssl pkey -in OLD -out NEW` and keep the file at mode 0600."
    )
