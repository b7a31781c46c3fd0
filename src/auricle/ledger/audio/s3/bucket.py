"""Audio of accepted jobs in an S3-compatible service, for several gateways.

Audio is stored by one PUT, which the service completes durably or not at all: nothing incomplete is
left to clean up. Every wait has a deadline, and requests that fail are repeated a few times.
Credentials come from botocore's usual sources: variables, files, and the machine's role.
"""

import contextlib
import os
import secrets
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import botocore.session
import structlog
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
)

from auricle.ledger.audio.store import COPY_BYTES, NAME, RETRY_S, missing_audio, unavailable_audio
from auricle.values.errors import LedgerFull, LedgerUnavailable, SetupError, TooLarge

CONNECT_S = 5.0
READ_S = 20.0
"""Maximum wait for the next bytes of a response, in seconds."""
ATTEMPTS = 3
MAX_BYTES = 5_000_000_000
"""Largest object that one PUT can store (Amazon S3: 5 GiB)."""
MAX_CONNECTIONS = 64
PAGE_NAMES = 1000
"""Names in one response, the most that services return."""

_FULL = {"QuotaExceeded", "XMinioStorageFull", "InsufficientStorage"}
_MISSING = {"NoSuchKey", "404"}
_REFUSED = {
    *("NoSuchBucket", "InvalidBucketName", "AccessDenied", "AllAccessDisabled"),
    *("InvalidAccessKeyId", "SignatureDoesNotMatch", "AuthorizationHeaderMalformed"),
}
"""Error codes that say that the settings or the credentials are wrong."""

_log = structlog.get_logger("auricle.ledger")


class AudioBucket:
    """Audio as objects in a bucket; see :class:`.AudioStore`."""

    def __init__(
        self,
        url: str,
        copies: Path,
        *,
        endpoint: str | None = None,
        region: str | None = None,
        connect_s: float = CONNECT_S,
        read_s: float = READ_S,
        attempts: int = ATTEMPTS,
        page_names: int = PAGE_NAMES,
    ) -> None:
        """Create a client; connects to nothing.

        Args:
            url: ``s3://BUCKET/PREFIX``; the prefix belongs to one database.
            copies: Directory for local copies of audio.
            endpoint: URL of the service; ``None``: botocore's settings, or Amazon.
            region: Region of the bucket; ``None``: botocore's settings.
            connect_s: Maximum time to connect, in seconds.
            read_s: Maximum wait for the next bytes, in seconds.
            attempts: Maximum number of attempts of a request.
            page_names: Maximum number of names in one response.

        Raises:
            SetupError: The settings can't be used.
        """
        parts = urlsplit(url)
        self._bucket = parts.netloc
        self._prefix = f"{parts.path.strip('/')}/".lstrip("/")
        self._copies = copies
        self._page_names = page_names
        config = Config(
            connect_timeout=connect_s,
            read_timeout=read_s,
            retries={"total_max_attempts": attempts, "mode": "standard"},
            max_pool_connections=MAX_CONNECTIONS,
            # Signed bodies are verified by every service; checksums of later versions are not.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        try:
            self._client: Any = botocore.session.get_session().create_client(
                "s3", endpoint_url=endpoint, region_name=region, config=config
            )
        except (BotoCoreError, ValueError) as error:
            raise SetupError(f"AURICLE_AUDIO_URL can't be used: {error}") from error

    def check(self) -> None:
        """Check that the bucket can be listed; see :class:`.AudioStore`."""
        try:
            self._client.list_objects_v2(Bucket=self._bucket, Prefix=self._prefix, MaxKeys=1)
        except (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError) as error:
            raise SetupError(
                f"There are no credentials for the audio store s3://{self._bucket}. Set "
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the machine a role."
            ) from error
        except (BotoCoreError, ClientError) as error:
            if _code(error) in _REFUSED:
                raise SetupError(
                    f"The audio store s3://{self._bucket} refuses access: {_code(error)}. Check "
                    "AURICLE_AUDIO_URL, AURICLE_AUDIO_ENDPOINT and the credentials."
                ) from error
            raise unavailable_audio("read") from error

    def put(self, source: Path) -> str:
        """Store a file; see :class:`.AudioStore`."""
        name = secrets.token_hex(16)
        with _translating("store"), source.open("rb") as file:
            if os.fstat(file.fileno()).st_size > MAX_BYTES:
                raise TooLarge(f"The audio store accepts at most {MAX_BYTES // 10**6} MB.")
            self._client.put_object(Bucket=self._bucket, Key=self._key(name), Body=file)
        return name

    def fetch(
        self, name: str, size_bytes: int, check_cancelled: Callable[[], None] = lambda: None
    ) -> Path:
        """Download audio into a file; see :class:`.AudioStore`."""
        with _translating("read"):
            response = self._client.get_object(Bucket=self._bucket, Key=self._key(name))
            with contextlib.closing(response["Body"]) as body:
                if response.get("ContentLength") != size_bytes:
                    raise missing_audio()
                return self._copy(body, check_cancelled)

    def _copy(self, body: Any, check_cancelled: Callable[[], None]) -> Path:
        descriptor, path = tempfile.mkstemp(prefix="audio-", dir=self._copies)
        try:
            with open(descriptor, "wb") as file:
                for part in body.iter_chunks(COPY_BYTES):
                    check_cancelled()
                    file.write(part)
        except BaseException:
            Path(path).unlink(missing_ok=True)
            raise
        return Path(path)

    def release(self, path: Path) -> None:
        """Delete a local copy; see :class:`.AudioStore`."""
        path.unlink(missing_ok=True)

    def delete(self, name: str) -> None:
        """Delete an object; see :class:`.AudioStore`."""
        with _translating("delete"):
            self._client.delete_object(Bucket=self._bucket, Key=self._key(name))

    def names(self, older_than: float) -> Iterator[str]:
        """Iterate over the names of old objects; see :class:`.AudioStore`."""
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket,
            Prefix=self._prefix,
            PaginationConfig={"PageSize": self._page_names},
        )
        with _translating("read"):
            for page in pages:
                for entry in page.get("Contents", ()):
                    name = entry["Key"].removeprefix(self._prefix)
                    if NAME.fullmatch(name) and entry["LastModified"].timestamp() < older_than:
                        yield name

    def _key(self, name: str) -> str:
        return f"{self._prefix}{name}"


@contextlib.contextmanager
def _translating(action: str) -> Iterator[None]:
    """Raise the ledger's errors instead of the client's."""
    try:
        yield
    except ClientError as error:
        if _code(error) in _MISSING:
            raise missing_audio() from error
        raise _translated(error, action) from error
    except (BotoCoreError, OSError) as error:
        raise _translated(error, action) from error


def _translated(error: Exception, action: str) -> LedgerFull | LedgerUnavailable:
    """Log an error of the client, and return the ledger's error for it."""
    _log.warning("audio_store_failed", action=action, error=_code(error))
    if _code(error) in _FULL:
        return LedgerFull("The audio store is full; try again later.", RETRY_S)
    return unavailable_audio(action)


def _code(error: Exception) -> str:
    """Return the service's error code, or the class of another error."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", ""))
    return type(error).__name__
