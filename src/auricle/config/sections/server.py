"""Settings of the server: addresses, access control and limits."""

import re
from pathlib import Path
from typing import Literal

from pydantic import Field, IPvAnyNetwork, SecretStr, field_validator

from auricle.config.section import Listed, Section, fixed

ORIGIN = re.compile(
    r"([a-z][a-z0-9+.-]*)://([a-z0-9._-]+|\[[0-9a-f:.]+\]|(?<=file://))(?::([1-9]\d{0,4}))?",
    re.ASCII,
)
"""Scheme, host and port of an origin as a browser writes it (RFC 6454 §6.2). ``file://`` is one of
desktop programs that are pages in a file; browsers write ``null`` for those."""


class ServerSettings(Section):
    """Addresses, access control and limits of the server."""

    title = "Server"
    common = ("host", "port", "api_keys", "keys_file", "tls_cert", "tls_key", "log_level")
    options = (
        "host",
        "port",
        "keys_file",
        "insecure_no_auth",
        "tls_cert",
        "tls_key",
        "drain_s",
        "keep_audio",
        "log_level",
    )

    host: str = Field(
        "127.0.0.1", description="Address to listen on; a non-loopback address requires keys."
    )
    port: int = Field(6007, ge=0, le=65535, description="Port to listen on; 0: any free port.")
    api_keys: Listed[SecretStr] = Field(
        (),
        description="API keys, comma-separated, each `key` or `name:key`; none: no authentication.",
    )
    keys_file: Path | None = Field(
        None, description="Key file: hashes of further keys, managed with `auricle keys`."
    )
    insecure_no_auth: bool = Field(
        False, description="Allow access from other machines without keys."
    )
    allowed_origins: Listed[str] = Field(
        (),
        description="Origins whose pages may use the API, comma-separated: https://app.example.",
    )
    tls_cert: Path | None = Field(
        None, description="PEM file of the TLS certificate and its chain; enables HTTPS."
    )
    tls_key: Path | None = Field(None, description="PEM file of the certificate's private key.")
    hsts_s: int = Field(0, ge=0, description="HSTS max-age in seconds; 0: the header is not sent.")
    trusted_proxies: Listed[IPvAnyNetwork] = Field(
        (),
        description="Trusted proxies (X-Forwarded-*), comma-separated: addresses or networks.",
    )
    max_json_mb: float = fixed(25.0)
    """Maximum JSON body, in MB (10^6 bytes): ten minutes of PCM at 16 kHz, in base64."""
    max_upload_mb: float = Field(2000, gt=0, description="Maximum audio body, in MB.")
    spool_dir: Path | None = Field(
        None, description="Directory for spooled uploads; none: `spool` in the state directory."
    )
    max_wait_s: float = fixed(30.0)
    """Deadline of an utterance without one, in seconds: more than a server on time needs."""
    body_timeout_s: float = fixed(30.0)
    """Maximum pause while a request body arrives, in seconds; a minimum rate is required, too."""
    max_connections: int = Field(
        4096, ge=1, description="Maximum open connections, within the file limit; more get a 503."
    )
    address_connections: int = Field(
        1000, ge=0, description="Maximum open connections per address; more get a 429. 0: no limit."
    )
    max_file_jobs: int = Field(
        16,
        ge=1,
        description="Maximum files transcribed concurrently, and as many jobs (`wait=0`); more "
        "files get a 503, more jobs wait. If one key has all jobs, one job of another key starts.",
    )
    keep_results_s: float = Field(
        3600, gt=0, description="Retention of ended jobs in /jobs, in seconds."
    )
    keep_audio: Path | None = Field(
        None, description="Directory to keep audio that crashes or hangs workers; none: not kept."
    )
    drain_s: float = Field(
        20, ge=0, description="Time to finish accepted work at shutdown, in seconds."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Minimum log level: `debug`, `info`, `warning` or `error`."
    )
    operator_key: SecretStr | None = Field(
        None,
        description="Key that may read crash stacks and the use by key, in /health and /metrics.",
    )
    key_sessions: int = Field(
        0, ge=0, description="Maximum live sessions per key; 0: only AURICLE_MAX_SESSIONS applies."
    )
    key_audio_s: int = Field(
        0, ge=0, description="Maximum audio per key and minute, in seconds; 0: no limit."
    )
    key_requests: int = Field(
        0, ge=0, description="Maximum requests per key and minute; 0: no limit."
    )
    gateway_id: str = Field(
        "",
        pattern=r"^[A-Za-z0-9]{0,32}$",
        description="ID of this server behind a load balancer: at most 32 letters and digits.",
    )
    agent_check_port: int | None = Field(
        None, ge=1, le=65535, description="Port for HAProxy's agent check; none: disabled."
    )

    @property
    def has_keys(self) -> bool:
        """Whether requests need a key; with an empty key file, all are rejected."""
        return bool(self.api_keys) or self.keys_file is not None

    @field_validator("allowed_origins")
    @classmethod
    def _as_browsers_write_them(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        matches = [match for origin in origins if (match := ORIGIN.fullmatch(origin.lower()))]
        if len(matches) < len(origins):
            raise ValueError("write each as scheme://host or scheme://host:port, without a path")
        ports = {"http": ":80", "https": ":443"}
        return tuple(match[0].removesuffix(ports.get(match[1], "")) for match in matches)
