"""TLS 1.2 and later, with certificate reload while the server runs.

New connections use the most recently loaded certificate; existing connections are unaffected. An
invalid certificate is logged, and the previous one stays in use.
"""

import ssl
import stat
from pathlib import Path
from typing import Any

import structlog

from auricle.config.sections.server import ServerSettings
from auricle.server.net.file_watch import CHECK_INTERVAL_S, is_open_to_others, watch_files
from auricle.values.errors import SetupError

MAX_FILE_BYTES = 2**20

_log = structlog.get_logger("auricle.server")


class _Renewable(ssl.SSLContext):
    """Uses the most recently loaded certificate for each new connection.

    An SNI callback could do that too, but the ssl module prints a traceback for each invalid server
    name, so untrusted clients could fill the log.
    """

    current: ssl.SSLContext

    def wrap_bio(self, *arguments: Any, **named: Any) -> ssl.SSLObject:
        """Start TLS on a connection; asyncio calls this once for each."""
        return self.current.wrap_bio(*arguments, **named)


class Certificate:
    """A certificate and its private key, reloaded when their files change."""

    def __init__(self, certificate: Path, key: Path) -> None:
        """Load both files.

        Raises:
            SetupError: A file can't be read, or they don't form a valid pair.
        """
        self._files = certificate, key
        self._context = _Renewable(ssl.PROTOCOL_TLS_SERVER)
        self._context.current = _loaded(certificate, key)

    @property
    def context(self) -> ssl.SSLContext:
        """The SSL context for the listening sockets."""
        return self._context

    @classmethod
    def of(cls, settings: ServerSettings) -> "Certificate | None":
        """Load the certificate named in the settings; return ``None`` if there is none.

        Raises:
            SetupError: The files can't be used, or only one of the two is set.
        """
        certificate, key = settings.tls_cert, settings.tls_key
        if certificate is None and key is None:
            return None
        if certificate is None or key is None:
            raise SetupError(
                "TLS needs two files: --tls-cert (AURICLE_TLS_CERT), the certificate with its "
                "chain, and --tls-key (AURICLE_TLS_KEY), its private key."
            )
        return cls(certificate, key)

    async def follow(self, *, check_interval_s: float = CHECK_INTERVAL_S) -> None:
        """Reload the files whenever they change; runs until cancelled."""
        await watch_files(self._files, self._reload, check_interval_s=check_interval_s)

    def _reload(self) -> None:
        certificate, key = self._files
        try:
            self._context.current = _loaded(certificate, key)
        except SetupError as error:
            _log.warning("tls_certificate_unusable", reason=str(error), certificate="unchanged")
            return
        _log.info("tls_certificate_read")
        if is_open_to_others(key):
            _log.warning("tls_key_open_to_others", advice=f"chmod 600 {key}")


def _loaded(certificate: Path, key: Path) -> ssl.SSLContext:
    for path, variable in ((certificate, "AURICLE_TLS_CERT"), (key, "AURICLE_TLS_KEY")):
        _check_file(path, variable)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION  # unlimited renegotiation exhausts CPU
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(certificate, key, password=_no_passphrase)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise SetupError(
                f"The private key in {key} does not match the first certificate in {certificate}: "
                "use a matching pair, with the server's certificate before its chain."
            ) from error
        raise SetupError(
            f"{certificate} and {key} are not a valid certificate and private key in PEM format "
            f"({(error.reason or 'unreadable').lower().replace('_', ' ')})."
        ) from error
    except OSError as error:
        raise SetupError(f"{certificate} or {key} can't be read ({error.strerror}).") from error
    return context


def _check_file(path: Path, variable: str) -> None:
    """Check that a file is readable, to name it in the error, and reject pipes.

    Raises:
        SetupError: The file is missing, unreadable, too large or not a regular file.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_FILE_BYTES:
            raise SetupError(f"{variable}: {path} is not a certificate or key file.")
        path.open("rb").close()
    except FileNotFoundError as error:
        raise SetupError(
            f"{variable}: {path} does not exist. For a development certificate: make dev-cert."
        ) from error
    except OSError as error:
        raise SetupError(
            f"{variable}: {path} can't be read ({error.strerror}): grant read access to the user "
            "that Auricle runs as."
        ) from error


def _no_passphrase() -> str:
    raise SetupError(
        "The TLS key is encrypted, and the server can't ask for its passphrase: decrypt it with "
        "`openssl pkey -in OLD -out NEW` and keep the file at mode 0600."
    )
