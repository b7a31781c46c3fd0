"""Settings: the core's sections, and all sections as they are loaded from the environment.

Each field is one ``AURICLE_*`` variable. Sections are frozen and passed separately, so that each
package receives only the settings that it uses. Optional folders have their own sections
(:mod:`auricle.config.optional`).
"""

import dataclasses
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar, cast
from urllib.parse import urlsplit

import platformdirs
from pydantic import (
    Field,
    IPvAnyNetwork,
    SecretStr,
    ValidationError,
    field_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import NoDecode

from auricle.config.optional import optional_sections
from auricle.config.section import Section, fixed, split_at_commas, variable
from auricle.values.errors import SetupError
from auricle.values.limits import (
    DEFAULT_ENDPOINT_MS,
    MAX_ENDPOINT_MS,
    MAX_KEEP_AUDIO_S,
    MAX_MAX_LAG_S,
    MIN_ENDPOINT_MS,
    MIN_MAX_LAG_S,
)

MIN_SECRET_CHARACTERS = 32

ORIGIN = re.compile(
    r"([a-z][a-z0-9+.-]*)://([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([1-9]\d{0,4}))?", re.ASCII
)
"""Scheme, host and port of an origin as a browser writes it (RFC 6454 §6.2)."""

SERVICE_URL = re.compile(
    r"https?://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[1-9]\d{0,4})?(/[a-z0-9._~/-]*)?", re.ASCII | re.I
)


def is_service_url(url: str) -> bool:
    """Return whether this is the URL of a service, without a name or key in it."""
    try:
        return SERVICE_URL.fullmatch(url) is not None and urlsplit(url).port != 0
    except ValueError:  # there can be no such port
        return False


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
    api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (),
        description="API keys, comma-separated, each `key` or `name:key`; none: no authentication.",
    )
    keys_file: Path | None = Field(
        None, description="Key file: hashes of further keys, managed with `auricle keys`."
    )
    insecure_no_auth: bool = Field(
        False, description="Allow access from other machines without keys."
    )
    allowed_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Origins whose pages may use the API, comma-separated: https://app.example.",
    )
    tls_cert: Path | None = Field(
        None, description="PEM file of the TLS certificate and its chain; enables HTTPS."
    )
    tls_key: Path | None = Field(None, description="PEM file of the certificate's private key.")
    hsts_s: int = Field(0, ge=0, description="HSTS max-age in seconds; 0: the header is not sent.")
    trusted_proxies: Annotated[tuple[IPvAnyNetwork, ...], NoDecode] = Field(
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

    @field_validator("api_keys", "allowed_origins", "trusted_proxies", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return split_at_commas(value)

    @field_validator("allowed_origins")
    @classmethod
    def _as_browsers_write_them(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        matches = [match for origin in origins if (match := ORIGIN.fullmatch(origin.lower()))]
        if len(matches) < len(origins):
            raise ValueError("write each as scheme://host or scheme://host:port, without a path")
        ports = {"http": ":80", "https": ":443"}
        return tuple(match[0].removesuffix(ports.get(match[1], "/")) for match in matches)


class ModelSettings(Section):
    """The model and how it is loaded."""

    title = "Model"
    common = ("model", "device")
    options = ("model", "device", "compute_type")

    model: str | None = Field(
        None,
        description="Model, by a name that `auricle models` lists or a path; none: the engine's.",
    )
    device: Literal["cpu", "cuda", "auto"] = Field(
        "cpu", description="Device that runs the model: `cpu`, `cuda` or `auto`."
    )
    gpus: int = Field(0, ge=0, description="Number of GPUs to use; 0: all.")
    compute_type: str = Field(
        "default",
        description="Number type of the engine, such as `int8`; `default`: the engine's choice.",
    )
    cache_dir: Path = Field(
        default_factory=lambda: Path(platformdirs.user_cache_dir("auricle")),
        description="Directory of models, and of the results of `auricle bench --save`.",
    )
    engine: str = Field(
        "whisper",
        description="Engine: one that `auricle models` lists, or the name of a module.",
    )
    models: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Several models, comma-separated, the default first: `NAME`, "
        "`NAME=ENGINE:MODEL`, with options as `;load=demand`; none: one model.",
    )
    model_aliases: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="More names of models in requests, comma-separated: `fast=tiny`.",
    )
    unknown_models: Literal["auto", "reject", "default"] = Field(
        "auto",
        description="Requests for models that are not served: `reject` (404), or use the `default` "
        "model; `auto`: `reject` if there are several models.",
    )

    model_idle_s: float = Field(
        600,
        ge=0,
        description="Time without use after which a model with `load=demand` is unloaded, in "
        "seconds; 0: never.",
    )

    @field_validator("models", "model_aliases", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return split_at_commas(value)


class WorkerSettings(Section):
    """Number of workers, their timeouts and limits."""

    title = "Workers"
    common = ("workers",)
    options = ("workers", "worker_threads", "decode_workers")

    workers: int = Field(
        0, ge=0, le=256, description="Worker processes; 0: as many as cores and memory allow."
    )
    worker_threads: int = Field(
        0, ge=0, le=64, description="Threads per worker; 0: cores divided by workers."
    )
    batch_jobs: int = fixed(8)
    """Maximum jobs in a batch, within that of the engine: more gain nothing (decision 8)."""
    start_budget_s: float = Field(
        120, gt=0, description="Maximum time for a worker to load and warm up, in seconds."
    )
    job_timeout_min_s: float = fixed(10.0)
    """Minimum time budget of a batch, in seconds, on machines that are busy with other things."""
    job_timeout_factor: float = fixed(20.0)
    """Time budget of a batch, in multiples of its usual time; noise needs 10."""
    backoff_first_s: float = fixed(0.5)
    """Delay before the second restart of a worker in a row, in seconds; it doubles each time."""
    backoff_max_s: float = fixed(30.0)
    """Maximum delay between restarts of a worker, in seconds: the cause may be gone by then."""
    worker_max_jobs: int = fixed(10_000)
    """Jobs after which a worker is replaced, so that small leaks of libraries end."""
    worker_soft_mb: float = fixed(0.0)
    """Memory in MB above which a worker is replaced; 0: 700 more than at start, and more for large
    models (:mod:`auricle.engines.placement`)."""
    worker_hard_mb: float = fixed(0.0)
    """Memory in MB above which a worker is killed; 0: 2000 more than at start, and more for large
    models."""
    self_test_s: float = fixed(300.0)
    """Interval between self-tests of an idle worker, in seconds; `/readyz` depends on them."""
    decode_workers: int = Field(
        2, ge=1, le=64, description="Number of processes that decode audio files."
    )
    sandbox: Literal["auto", "off"] = Field(
        "auto", description="Sandbox of workers: `auto` (what the kernel supports) or `off`."
    )
    sandbox_folders: Annotated[tuple[Path, ...], NoDecode] = Field(
        (), description="Additional directories that sandboxed workers may access, comma-separated."
    )

    @field_validator("sandbox_folders", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return split_at_commas(value)


class QueueSettings(Section):
    """Limits of the queue, and the handling of poison jobs."""

    title = "Queue"
    options = ("queue_audio_s",)

    queue_audio_s: float = Field(
        600, gt=0, description="Maximum queued audio of uploads and files, in seconds."
    )
    queue_jobs: int = Field(256, ge=1, description="Maximum number of queued jobs.")
    key_share: float = fixed(0.6)
    """Maximum share of the queue for one key while others use it."""
    file_share: float = fixed(0.1)
    """Minimum share of worker time for files, so that live speech never stops them."""
    file_workers: int = fixed(0)
    """Maximum workers used for files at once; 0: all but one, which live speech then finds idle."""
    poison_attempts: int = fixed(4)
    """Worker deaths after which a job is quarantined; two that are alike suffice."""
    poison_ttl_s: float = fixed(600.0)
    """Time for which quarantined audio is rejected, in seconds: clients retry for minutes."""
    max_crashes_per_key: int = fixed(10)
    """Poison jobs of a key within ``crash_window_s`` after which the key is rejected: each costs a
    worker up to four restarts."""
    crash_window_s: float = fixed(600.0)
    """Window for ``max_crashes_per_key``, in seconds."""


class DecodeSettings(Section):
    """Limits on audio files."""

    title = "Audio files"
    options = ("max_audio_s",)

    max_audio_s: float = Field(
        4 * 3600, gt=0, description="Maximum duration of an audio file, in seconds."
    )
    decode_budget_s: float = fixed(15.0)
    """Maximum time for one step of a decode worker, in seconds; 4 s of it may be processor time."""
    libopus: str | None = Field(
        None, description="Path of the libopus that decodes packets; none: PyAV's."
    )
    open_files: int = fixed(32)
    """Maximum files open at once in all decode workers, whose memory limit allows no more."""


NO_PARTIALS = "none"
"""Value of ``partial_model`` that disables partials."""


class LiveSettings(Section):
    """Limits and timeouts of live sessions."""

    title = "Live sessions"
    common = ("max_sessions",)

    max_sessions: int = Field(
        1000,
        ge=1,
        description="Maximum live sessions, silent ones included; more get a 503. How many may "
        "speak is learned.",
    )
    live_speakers: int = Field(
        0,
        ge=0,
        description="Maximum people who are transcribed live at once; 0: as many as the machine "
        "turns out to hold.",
    )
    max_sessions_per_address: int = Field(
        500, ge=0, description="Maximum live sessions per address; more get a 429. 0: no limit."
    )
    partial_model: str | None = Field(
        None,
        description="Model for partials: a name of AURICLE_MODELS, `same` (the model of the final) "
        "or `none` (no partials); not set: an installed model with cheap partials, else `same`.",
    )
    max_lag_s: float = Field(
        0,
        ge=0,
        le=MAX_MAX_LAG_S,
        description="Maximum delay of finals of sessions that set none, in seconds: speech whose "
        "text would come later is dropped, and reported. 0: none is dropped.",
    )
    endpoint_ms: int = Field(
        DEFAULT_ENDPOINT_MS,
        ge=MIN_ENDPOINT_MS,
        le=MAX_ENDPOINT_MS,
        description="Silence that ends a live utterance, in ms, if the client sets none.",
    )
    idle_timeout_s: float = Field(
        60,
        gt=0,
        description="Time without received data after which a connection ends, in seconds.",
    )
    resume_grace_s: float = Field(
        60, gt=0, description="Time to resume a session after a lost connection, in seconds."
    )

    @field_validator("max_lag_s")
    @classmethod
    def _is_none_or_in_range(cls, lag_s: float) -> float:
        if 0 < lag_s < MIN_MAX_LAG_S:
            raise ValueError(f"use 0, or {MIN_MAX_LAG_S:g} to {MAX_MAX_LAG_S:g}")
        return lag_s


class LedgerSettings(Section):
    """The database, and what is kept in it."""

    title = "Storage"
    common = ("state_dir",)

    state_dir: Path | None = Field(
        None,
        description="Directory of the database and the audio of jobs, of one server; none: the "
        "user's state folder.",
    )
    database_url: SecretStr | None = Field(
        None,
        description="URL of a database that several gateways share; none: SQLite in the state "
        "directory.",
    )
    webhook_secret: SecretStr | None = Field(
        None,
        min_length=MIN_SECRET_CHARACTERS,
        description="Secret from which each key's webhook secret is derived, at least "
        f"{MIN_SECRET_CHARACTERS} characters; none: no webhooks.",
    )
    webhook_allow_private: bool = Field(
        False, description="Also send webhooks to private and loopback addresses."
    )
    key_jobs: int = Field(
        10_000, ge=1, description="Maximum unfinished jobs (`wait=0`) per key; more get a 503."
    )
    key_ended_jobs: int = Field(
        10_000,
        ge=1,
        description="Maximum ended jobs that are kept per key; with more, new jobs get a 503 until "
        "some are deleted or expire.",
    )
    key_jobs_mb: float = Field(
        20_000,
        gt=0,
        description="Maximum MB of audio of jobs per key, with the audio that is kept after their "
        "end; more get a 503.",
    )
    keep_audio_s: float = Field(
        0,
        ge=0,
        le=MAX_KEEP_AUDIO_S,
        description="Retention of the audio of ended jobs, in seconds, unless the request sets it; "
        "0: deleted at once.",
    )
    audio_url: str | None = Field(
        None,
        description="URL of a store that several gateways share, for the audio of jobs; none: the "
        "state directory.",
    )

    @property
    def directory(self) -> Path:
        """Directory of the SQLite database and of the audio of jobs."""
        return self.state_dir or platformdirs.user_state_path("auricle")


def spool_directory(server: ServerSettings, ledger: LedgerSettings) -> Path:
    """Return the directory for uploads: by default next to the audio of jobs, which links to it."""
    return server.spool_dir or ledger.directory / "spool"


class ClientSettings(Section):
    """How the command line reaches a running server."""

    title = "Command line"

    url: str | None = Field(
        None,
        description="Server for `transcribe` (none: own workers) and other commands (none: local "
        "server).",
    )
    api_key: SecretStr | None = Field(None, description="API key that commands send to the server.")
    outage_buffer_s: float = Field(
        600.0,
        ge=10,
        le=6 * 3600,
        description="Audio that `live --mic` buffers while no server answers, in seconds.",
    )


AnySection = TypeVar("AnySection", bound=Section)


def _optional_defaults() -> Mapping[type[Section], Section]:
    return {section: section() for section in optional_sections()}


@dataclass(frozen=True, slots=True)
class Settings:
    """All sections of the settings.

    Attributes:
        optional: The sections of optional folders.
    """

    server: ServerSettings = field(default_factory=ServerSettings)
    model: ModelSettings = field(default_factory=ModelSettings)
    worker: WorkerSettings = field(default_factory=WorkerSettings)
    queue: QueueSettings = field(default_factory=QueueSettings)
    decode: DecodeSettings = field(default_factory=DecodeSettings)
    live: LiveSettings = field(default_factory=LiveSettings)
    ledger: LedgerSettings = field(default_factory=LedgerSettings)
    client: ClientSettings = field(default_factory=ClientSettings)
    optional: Mapping[type[Section], Section] = field(default_factory=_optional_defaults)

    @classmethod
    def load(cls, overrides: Mapping[str, object] | None = None) -> Self:
        """Read the environment.

        Args:
            overrides: Values by field name that take precedence over the environment: a command's
                options. ``None`` is an option that was not given.

        Raises:
            SetupError: Some values are invalid; the message names each variable or option.
        """
        options = {name: value for name, value in (overrides or {}).items() if value is not None}
        problems: list[str] = []
        core = {name: _read(section, options, problems) for name, section in _CORE.items()}
        others = {section: _read(section, options, problems) for section in optional_sections()}
        read = cls(**core, optional=others)  # type: ignore[arg-type]  # _CORE has the fields' own classes
        if not problems:
            values = {name: value for part in _CORE for name, value in getattr(read, part)}
            for section in read.optional.values():
                found = section.problems(values).items()
                problems += [_problem(name, problem, options) for name, problem in found]
        if problems:
            raise SetupError(f"Invalid settings: {'; '.join(problems)}")
        return read

    def section(self, section: type[AnySection]) -> AnySection:
        """Return the section of an optional folder."""
        found = self.optional[section]
        assert isinstance(found, section)
        return found

    def with_section(self, section: Section) -> Self:
        """Return a copy with another section of an optional folder."""
        return replace(self, optional={**self.optional, type(section): section})

    def sections(self) -> tuple[Section, ...]:
        """Return all sections, in the order of :func:`section_classes`."""
        return (*(getattr(self, name) for name in _CORE), *self.optional.values())


_CORE: Mapping[str, type[Section]] = {
    section.name: cast(type[Section], section.default_factory)
    for section in dataclasses.fields(Settings)
    if section.name != "optional"
}


def _read(
    section: type[Section], options: Mapping[str, object], problems: list[str]
) -> Section | None:
    """Return a section as read; add what is wrong with it to ``problems``."""
    own = {name: options[name] for name in section.model_fields if name in options}
    try:
        return section.model_validate(own)
    except ValidationError as exc:
        problems += [_problem(str(e["loc"][0]), e["msg"], options) for e in exc.errors()]
        return None


def _problem(name: str, message: str, options: Mapping[str, object]) -> str:
    source = f"--{name.replace('_', '-')}" if name in options else variable(name)
    return f"{source}: {message}"


def section_classes() -> tuple[type[Section], ...]:
    """Return all sections: the core's, and those of optional folders."""
    return (*_CORE.values(), *optional_sections())


def fields() -> Iterator[tuple[str, FieldInfo]]:
    """Yield the name and definition of every setting, in the order of sections."""
    for section in section_classes():
        yield from section.variables().items()
