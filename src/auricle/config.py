"""Settings: every knob an operator has, and the only reader of the environment.

Each field is one ``AURICLE_*`` variable. Sections are frozen and handed over one by one, so that a
room sees only what is its own.
"""

import difflib
import importlib.util
import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

import platformdirs
from pydantic import Field, IPvAnyNetwork, SecretStr, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from auricle.errors import SetupError
from auricle.machine import available_memory_bytes, usable_cores
from auricle.types import LIVE_BEAM_SIZE

PREFIX = "AURICLE_"

ORIGIN = re.compile(
    r"([a-z][a-z0-9+.-]*)://([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([1-9]\d{0,4}))?", re.ASCII
)
"""Scheme, host and port of an origin as a browser writes it (RFC 6454 §6.2)."""

SECRET_VARIABLES = frozenset(
    {"AURICLE_API_KEYS", "AURICLE_KEYS_FILE", "AURICLE_OPERATOR_KEY", "AURICLE_API_KEY"}
    | {"AURICLE_TLS_KEY", "AURICLE_ENGINE_KEY"}
)
"""Handed to no other program."""

WORKER_VARIABLES = frozenset(
    {"PATH", "HOME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "XDG_CACHE_HOME"}
    | {"SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "TEMP", "TMP", "USERPROFILE", "APPDATA"}
    | {"LOCALAPPDATA", "PROGRAMDATA", "PATHEXT", "COMSPEC", "NUMBER_OF_PROCESSORS"}
)
WORKER_PREFIXES = (
    *("LC_", "LD_", "DYLD_", "MALLOC_", "PYTHON"),
    *("OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "CT2_", "ORT_", "CUDA_", "NVIDIA_"),
    "COVERAGE_",  # tests measure what workers run
)
"""All that a worker gets of the server's environment: what may hold anything, as other services'
passwords and tokens, stays out. Names that begin with ``AURICLE_`` and are no settings are for an
engine of one's own."""


class _Section(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,  # as compose files write a variable that is not set
        extra="ignore",
        frozen=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,  # the input may be a key
    )


def _parts(value: object) -> object:
    """Split what stands in a variable at its commas."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


class ServerSettings(_Section):
    """Where the server listens and who may use it."""

    host: str = Field(
        "127.0.0.1", description="Address to listen on; others than loopback need keys."
    )
    port: int = Field(6007, ge=0, le=65535, description="Port to listen on; 0 picks a free one.")
    api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (), description="Keys, separated by commas; each `key` or `name:key`. None: no check."
    )
    keys_file: Path | None = Field(
        None, description="File with the hashes of more keys, which `auricle keys` writes."
    )
    insecure_no_auth: bool = Field(
        False, description="Whether other machines may use it without keys: all that reach it."
    )
    allowed_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Other sites whose pages may use it, with commas, as https://app.example.",
    )
    tls_cert: Path | None = Field(
        None, description="File of the certificate, and those that vouch for it; serves https."
    )
    tls_key: Path | None = Field(None, description="File of the certificate's private key.")
    hsts_s: int = Field(
        0, ge=0, description="For how long browsers shall take https only (HSTS); 0: not told."
    )
    trusted_proxies: Annotated[tuple[IPvAnyNetwork, ...], NoDecode] = Field(
        (), description="Addresses or networks, with commas, whose X-Forwarded-* is believed."
    )
    openai_models: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Names for the model in OpenAI's API, with commas; default: OpenAI's own.",
    )
    openai_strict_models: bool = Field(
        False,
        description="Refuse (404) names that are neither openai_models nor, without it, Whisper's.",
    )
    wyoming: bool = Field(
        False, description="Whether Wyoming's clients, as Home Assistant, are served, too."
    )
    wyoming_host: str = Field(
        "127.0.0.1", description="Address for Wyoming; others than loopback need wyoming_open."
    )
    wyoming_port: int = Field(
        10300, ge=0, le=65535, description="Port for Wyoming; 0 picks a free one."
    )
    wyoming_open: bool = Field(
        False, description="Whether other machines may use Wyoming, which knows no keys."
    )
    max_json_mb: float = Field(25, gt=0, description="Largest JSON body, in MB of 10^6 bytes.")
    max_upload_mb: float = Field(2000, gt=0, description="Largest audio body, in MB.")
    spool_dir: Path | None = Field(None, description="Where uploads are spooled; the system's own.")
    max_wait_s: float = Field(30, gt=0, description="Deadline of a request that names none.")
    body_timeout_s: float = Field(30, gt=0, description="Longest pause while a body comes in.")
    max_connections: int = Field(
        4096, ge=1, description="Connections at once, as far as open files suffice; more get a 503."
    )
    address_connections: int = Field(
        128, ge=0, description="Connections of an address at once; more get a 429. 0: no limit."
    )
    max_file_jobs: int = Field(16, ge=1, description="Files worked on at once; more get a 503.")
    keep_results_s: float = Field(3600, gt=0, description="How long /jobs keeps a result.")
    max_kept_jobs: int = Field(1000, ge=1, description="Most jobs that /jobs remembers.")
    max_results_mb: float = Field(
        256, gt=0, description="Most MB of results that /jobs keeps; the key with most loses first."
    )
    keep_audio: Path | None = Field(
        None, description="Folder for audio that ends a worker; none: no speech is kept."
    )
    drain_s: float = Field(20, ge=0, description="Longest wait for accepted work at shutdown.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least that is logged: `debug`, `info`, `warning` or `error`."
    )
    operator_key: SecretStr | None = Field(
        None,
        description="The key that sees crash stacks in /health, and use by client in /metrics.",
    )
    key_sessions: int = Field(
        0, ge=0, description="Live sessions of a key at once; 0: no limit but that of all."
    )
    key_audio_s: int = Field(
        0, ge=0, description="Seconds of audio that a key may send a minute; 0: no limit."
    )
    key_requests: int = Field(
        0, ge=0, description="Requests that a key may make a minute; 0: no limit."
    )
    gateway_id: str = Field(
        "",
        pattern=r"^[A-Za-z0-9]{0,32}$",
        description="This server's name among others behind a load balancer: letters and digits.",
    )
    agent_check_port: int | None = Field(
        None, ge=1, le=65535, description="Port that tells HAProxy what is free; none: no port."
    )

    @property
    def has_keys(self) -> bool:
        """Whether a key is asked for; a file of keys that is empty lets nobody in."""
        return bool(self.api_keys) or self.keys_file is not None

    @field_validator(
        "api_keys", "allowed_origins", "trusted_proxies", "openai_models", mode="before"
    )
    @classmethod
    def _split(cls, value: object) -> object:
        return _parts(value)

    @field_validator("allowed_origins")
    @classmethod
    def _as_browsers_write_them(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        matches = [match for origin in origins if (match := ORIGIN.fullmatch(origin.lower()))]
        if len(matches) < len(origins):
            raise ValueError("write each as scheme://host or scheme://host:port, without a path")
        ports = {"http": ":80", "https": ":443"}
        return tuple(match[0].removesuffix(ports.get(match[1], "/")) for match in matches)


class ModelSettings(_Section):
    """Which model is loaded, and how."""

    model: str = Field(
        "base", description="`base` (bundled if installed), a faster-whisper name, or a directory."
    )
    device: Literal["cpu", "cuda", "auto"] = Field(
        "cpu", description="Where the model runs: `cpu`, `cuda` or `auto`."
    )
    gpus: int = Field(0, ge=0, description="GPUs that the workers are spread over; 0: all.")
    compute_type: str = Field(
        "default",
        description="CTranslate2 type; `default`: int8 on a CPU, float16 on a GPU that has room.",
    )
    cache_dir: Path = Field(
        default_factory=lambda: Path(platformdirs.user_cache_dir("auricle")),
        description="Where the bundled model is put together.",
    )
    engine: str = Field(
        "auricle.engine.whisper.short_window:load",
        description="The engine's factory as module:function; runs inside each worker.",
    )


class WorkerSettings(_Section):
    """How many workers there are, and when one is given up."""

    workers: int = Field(
        0, ge=0, le=256, description="Worker processes; 0 counts cores and memory."
    )
    worker_threads: int = Field(
        0, ge=0, le=64, description="Threads in each worker; 0: the cores, shared out."
    )
    batch_jobs: int = Field(8, ge=1, le=64, description="Most jobs given to a worker at once.")
    start_budget_s: float = Field(120, gt=0, description="Longest load and warm-up of a worker.")
    job_timeout_min_s: float = Field(10, gt=0, description="A batch has at least so long.")
    job_timeout_factor: float = Field(
        20, ge=1, description="A batch has so many times its usual time: noise takes 10 times."
    )
    backoff_first_s: float = Field(0.5, gt=0, description="Wait after a second death in a row.")
    backoff_max_s: float = Field(30, gt=0, description="Longest wait between two starts.")
    worker_max_jobs: int = Field(10_000, ge=1, description="A worker is replaced after so many.")
    worker_soft_mb: float = Field(
        0, ge=0, description="Replaced above this memory; 0: start + 700."
    )
    worker_hard_mb: float = Field(0, ge=0, description="Killed above this memory; 0: start + 2000.")
    self_test_s: float = Field(300, gt=0, description="An idle worker is tried out so often.")
    decode_workers: int = Field(2, ge=1, le=64, description="Processes that read audio files.")
    sandbox: Literal["auto", "off"] = Field(
        "auto", description="`auto` keeps workers from what they don't need; `off` doesn't."
    )
    sandbox_folders: Annotated[tuple[Path, ...], NoDecode] = Field(
        (), description="Folders, with commas, that workers may read and write all the same."
    )

    @field_validator("sandbox_folders", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return _parts(value)


class QueueSettings(_Section):
    """What may wait, and how blame is counted."""

    queue_audio_s: float = Field(300, gt=0, description="Most seconds of audio that may wait.")
    queue_jobs: int = Field(256, ge=1, description="Most jobs that may wait.")
    key_share: float = Field(
        0.6, gt=0, le=1, description="Most of the queue that one key may fill."
    )
    file_share: float = Field(0.1, ge=0, le=1, description="Least part of worker time for files.")
    file_workers: int = Field(
        0, ge=0, le=256, description="Workers that files may use at once; 0: all but one."
    )
    poison_attempts: int = Field(4, ge=1, description="Deaths of any kind that convict a job.")
    poison_ttl_s: float = Field(600, gt=0, description="How long poisoned audio stays refused.")
    max_crashes_per_key: int = Field(
        10, ge=1, description="Convictions within crash_window_s for a key."
    )
    crash_window_s: float = Field(600, gt=0, description="How long a conviction counts for a key.")


class DecodeSettings(_Section):
    """Limits on audio files."""

    max_audio_s: float = Field(4 * 3600, gt=0, description="Longest audio of one file.")
    decode_budget_s: float = Field(15, gt=0, description="Longest step of a decode worker.")
    libopus: str | None = Field(
        None, description="File of the libopus that decodes packets; none: the one in PyAV."
    )
    open_files: int = Field(32, ge=1, description="Files read at once by all decode workers.")


class LiveSettings(_Section):
    """Live sessions: how many, how long they are kept, how often they guess."""

    max_sessions: int = Field(64, ge=1, description="Live sessions at once; more get a 503.")
    max_sessions_per_address: int = Field(
        32, ge=0, description="Live sessions of an address at once; more get a 429. 0: no limit."
    )
    live_beam_size: int = Field(
        LIVE_BEAM_SIZE,
        ge=1,
        le=10,
        description="Beam of live finals; guesses have 1.",
    )
    idle_timeout_s: float = Field(60, gt=0, description="A connection without a byte ends.")
    resume_grace_s: float = Field(60, gt=0, description="How long a lost session is kept.")


ENGINE_URL = re.compile(
    r"https?://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[1-9]\d{0,4})?(/[a-z0-9._~/-]*)?", re.ASCII | re.I
)


class EngineSettings(_Section):
    """Recognisers on other machines, for a server that is to have none of its own."""

    engine_urls: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Recognisers to send jobs to, with commas; none: own workers do them."
    )
    engine_key: SecretStr | None = Field(
        None, description="The key that recognisers ask for, and that is shown to them."
    )
    gateways: int = Field(
        1, ge=1, description="Servers that share these recognisers: each lets in its part."
    )

    @field_validator("engine_urls", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return _parts(value)

    @field_validator("engine_urls")
    @classmethod
    def _as_they_are_joined(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        if not all(ENGINE_URL.fullmatch(url) for url in urls):
            raise ValueError("write each as http://host:port, without a name or key in it")
        for url in urls:
            urlsplit(url).port  # noqa: B018  # raises ValueError if there can be no such port
        return tuple(dict.fromkeys(url.rstrip("/") for url in urls))


class ClusterSettings(_Section):
    """Recognisers on Ray Serve, for servers that have none of their own."""

    replicas: int = Field(
        2, ge=1, description="Recognisers on Ray, at the least; each has workers of its own."
    )
    max_replicas: int = Field(
        0, ge=0, description="Most recognisers on Ray when there is much to do; 0: no more."
    )
    replica_audio_s: float = Field(
        30, gt=0, description="One recogniser for so many seconds of audio that wait or run."
    )
    replica_cpus: float = Field(
        2, gt=0, description="CPUs of a recogniser on Ray: so many workers, but two at the least."
    )
    replica_gpus: float = Field(
        0, ge=0, description="GPUs of a recogniser on Ray; 0: one, if the device is `cuda`."
    )
    ray_ingress_replicas: int = Field(
        2, ge=1, description="Processes on Ray that hand jobs to the recognisers."
    )


class ClientSettings(_Section):
    """How the command line reaches a server that runs."""

    url: str | None = Field(
        None,
        description="The server of `transcribe` and `live`; none: own workers, or this machine's.",
    )
    api_key: SecretStr | None = Field(
        None, description="The key that `transcribe` and `live` show."
    )
    outage_buffer_s: float = Field(
        600.0,
        ge=10,
        le=6 * 3600,
        description="Audio that `live --mic` keeps while no server answers, in seconds.",
    )


@dataclass(frozen=True, slots=True)
class Settings:
    """All sections together."""

    server: ServerSettings = field(default_factory=ServerSettings)
    model: ModelSettings = field(default_factory=ModelSettings)
    worker: WorkerSettings = field(default_factory=WorkerSettings)
    queue: QueueSettings = field(default_factory=QueueSettings)
    decode: DecodeSettings = field(default_factory=DecodeSettings)
    live: LiveSettings = field(default_factory=LiveSettings)
    engine: EngineSettings = field(default_factory=EngineSettings)
    cluster: ClusterSettings = field(default_factory=ClusterSettings)
    client: ClientSettings = field(default_factory=ClientSettings)

    @classmethod
    def load(cls, overrides: Mapping[str, object] | None = None) -> Self:
        """Read the environment.

        Args:
            overrides: Values by field name that win over the environment: the options of a
                command. ``None`` is an option that was not given.

        Raises:
            SetupError: Values can't be used; the message names each, and its variable or option.
        """
        given = {name: value for name, value in (overrides or {}).items() if value is not None}
        sections: dict[str, _Section] = {}
        problems: list[str] = []
        for section, section_class in SECTIONS.items():
            own = {name: given[name] for name in section_class.model_fields if name in given}
            try:
                sections[section] = section_class.model_validate(own)
            except ValidationError as exc:
                problems += [_problem(str(e["loc"][0]), e["msg"], given) for e in exc.errors()]
        if problems:
            raise SetupError(f"Settings can't be used: {'; '.join(problems)}")
        return cls(**sections)  # type: ignore[arg-type]  # SECTIONS has the fields' own classes


SECTIONS: Mapping[str, type[_Section]] = {
    "server": ServerSettings,
    "model": ModelSettings,
    "worker": WorkerSettings,
    "queue": QueueSettings,
    "decode": DecodeSettings,
    "live": LiveSettings,
    "engine": EngineSettings,
    "cluster": ClusterSettings,
    "client": ClientSettings,
}


def variable(name: str) -> str:
    """Return the environment variable of a field."""
    return PREFIX + name.upper()


def _problem(name: str, message: str, given: Mapping[str, object]) -> str:
    source = f"--{name.replace('_', '-')}" if name in given else variable(name)
    return f"{source}: {message}"


def fields() -> Iterator[tuple[str, FieldInfo]]:
    """Yield the name and definition of every setting, section by section."""
    for section in SECTIONS.values():
        yield from section.model_fields.items()


def unknown_variables(environ: Mapping[str, str] | None = None) -> list[tuple[str, str | None]]:
    """Return the ``AURICLE_*`` variables that nothing reads, each with the likeliest real one."""
    known = [name.upper() for name, _ in fields()]
    source = os.environ if environ is None else environ
    found = sorted(name for name in source if name.startswith(PREFIX))
    unknown = [word for name in found if (word := name.removeprefix(PREFIX)) not in known]
    meant = {word: difflib.get_close_matches(word, known, n=1, cutoff=0.8) for word in unknown}
    return [(PREFIX + word, PREFIX + m[0] if m else None) for word, m in meant.items()]


BASE_MODEL_MB = 145
MOST_WORKERS = 16
"""On larger machines workers get more threads instead: each holds the model once."""
MOST_THREADS = 8


@dataclass(frozen=True, slots=True)
class CrewSize:
    """How many workers, and how many threads in each."""

    workers: int
    threads: int


def memory_per_worker_mb(model_mb: float = BASE_MODEL_MB) -> float:
    """Return what is counted for a worker on a CPU in int8: what it takes at its most.

    Whisper base, a file of 145 MB, takes 250 MB once ready, 350 MB while it is loaded, 460 MB for
    8 jobs of 5 s, and 730 MB (for a moment 790) for 8 of 25 s (measured 2026-11-25).
    """
    return 300 + 3 * model_mb


def crew_size(
    settings: WorkerSettings,
    *,
    cores: int | None = None,
    memory_mb: float | None = None,
    model_mb: float = BASE_MODEL_MB,
) -> CrewSize:
    """Return how many workers fit onto the cores and into the memory, if the settings don't say.

    One-thread workers do most work on given cores (``docs/benchmarks/threads.json``), so there is
    one for each. Two are the least, so that one's death never stops the service, unless memory
    can't hold them. Where memory holds fewer workers than there are cores, they share the cores as
    threads.
    """
    cores = usable_cores() if cores is None else cores
    memory_mb = available_memory_bytes() / 1e6 if memory_mb is None else memory_mb
    each_mb = memory_per_worker_mb(model_mb)
    least = 2 if memory_mb >= each_mb else 1  # two that are at rest take no more
    fitting = min(cores // max(1, settings.worker_threads), int(memory_mb / each_mb), MOST_WORKERS)
    workers = settings.workers or max(least, fitting)
    threads = settings.worker_threads or min(MOST_THREADS, max(1, cores // workers))
    return CrewSize(workers, threads)


def other_environment(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return what a program that isn't a worker gets: our environment, without Auricle's keys."""
    source = os.environ if environ is None else environ
    kept = {name: value for name, value in source.items() if name not in SECRET_VARIABLES}
    return kept | _FIXED_VARIABLES


def worker_environment(threads: int, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return what a worker's environment holds: the little that it needs, and threads pinned.

    CUDA's libraries, where the extra ``cuda`` brought them, are put where the loader looks.
    """
    source = os.environ if environ is None else environ
    kept = {name: value for name, value in source.items() if _is_for_workers(name)}
    kept |= {"OMP_NUM_THREADS": str(threads), **_FIXED_VARIABLES}
    if folders := _cuda_library_folders():
        before = kept.get("LD_LIBRARY_PATH")
        kept["LD_LIBRARY_PATH"] = os.pathsep.join([*filter(None, [before]), *folders])
    return kept


_FIXED_VARIABLES = {
    "PYTHONUNBUFFERED": "1",
    "PYTHONIOENCODING": "utf-8",
    "ORT_DISABLE_TELEMETRY": "1",  # see auricle.audio.vad
}


def _is_for_workers(name: str) -> bool:
    if name.startswith(PREFIX):
        is_setting = name.removeprefix(PREFIX).lower() in dict(fields())
        return not is_setting and "KEY" not in name  # a misspelled one may hold keys
    return name in WORKER_VARIABLES or name.startswith(WORKER_PREFIXES)


def _cuda_library_folders() -> list[str]:
    """Return the folders of NVIDIA's packages: CTranslate2 asks the loader for their libraries."""
    found = importlib.util.find_spec("nvidia") if sys.platform == "linux" else None
    roots = found.submodule_search_locations if found is not None else None
    return sorted(str(folder) for root in roots or () for folder in Path(root).glob("*/lib"))
