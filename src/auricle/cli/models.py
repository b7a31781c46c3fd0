"""``auricle models``: list, pull, verify and remove models."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from auricle.cli.support.console import errors, results, wide_results
from auricle.cli.support.download_progress import DownloadProgress
from auricle.config.environment import download_sources
from auricle.config.settings import Settings
from auricle.values.errors import SetupError

if TYPE_CHECKING:
    from auricle.engines.catalogue import CatalogueModel
    from auricle.engines.pulled import PulledModel

MAX_SHOWN_LANGUAGES = 4

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="A name that `auricle models` lists, or ENGINE:NAME.")
]


def list_models() -> None:
    """List the models that have a name: those of the built-in engines and of AURICLE_ENGINE.

    AURICLE_MODEL accepts the names of its engine, and directories. The engine [bold]whisper[/] also
    accepts ORGANISATION/NAME and ORGANISATION/NAME@COMMIT on the Hugging Face Hub.

    [bold]auricle models pull NAME[/] downloads one; a missing Whisper model is also downloaded at
    the first start.
    """
    from auricle.engines.registry import BUILT_IN, find_engine

    settings = Settings.load().model
    table = Table("name", "engine", "languages", "MB", "licence", "here", box=None, pad_edge=False)
    table.columns[3].justify = "right"
    listed = set()
    for engine in dict.fromkeys([settings.engine, *BUILT_IN]):
        store = find_engine(engine).models
        for model in store.named(settings.cache_dir):
            if (model.name, model.source) in listed:  # two engines read the same models
                continue
            listed.add((model.name, model.source))
            here = Text("yes", style="green") if model.is_local else Text("no", style="dim")
            is_chosen = engine == settings.engine and model.name == (
                settings.model or store.default
            )
            table.add_row(
                Text(model.name, style="bold" if is_chosen else ""),
                engine,
                _languages(sorted(model.languages)),
                str(model.size_mb),
                model.licence or "-",
                here,
            )
    wide_results.print(table)


def pull(name: Name) -> None:
    """Download a model into AURICLE_CACHE_DIR, check it, and print the line that uses it.

    A download that broke off continues where it stopped. The files' digests are those that Auricle
    knows beforehand, or those that the hub reports for the fixed commit; they are kept with the
    files, and a later pull and [bold]verify[/] compare with them.

    HTTPS_PROXY, HF_ENDPOINT, HF_TOKEN and PIP_INDEX_URL are used as other tools use them.
    """
    from auricle.engines.pull.pull import pull as pull_model
    from auricle.engines.registry import find_model

    model = find_model(name)
    cache_dir = Settings.load().model.cache_dir
    attribution = f"; {model.attribution}" if model.attribution else ""
    errors.print(f"{model.title} from {model.source.address}")
    errors.print(f"Licence: {model.licence} ({model.licence_url}){attribution}")
    with DownloadProgress() as progress:
        directory, lock = pull_model(model, cache_dir, download_sources(), progress)
    pinned = "digests known beforehand" if lock.pinned else "digests as the hub reported them"
    errors.print(
        f"{directory}: {lock.size_bytes / 1e6:.0f} MB, revision {lock.revision[:12]}, {pinned}"
    )
    results.print(f"AURICLE_ENGINE={model.engine} AURICLE_MODEL={model.name}")


def verify(name: Name) -> None:
    """Compare the files of a pulled model with the digests that were recorded."""
    from auricle.engines.pulled import verify as verify_files

    directory, lock = _pulled(name)
    with DownloadProgress() as progress:
        progress.start(f"checking {lock.name}", 0, lock.size_bytes)
        verify_files(directory, lock, progress.advance)
    results.print(f"{directory}: all {len(lock.files)} files are as recorded")


def remove(name: Name) -> None:
    """Delete a pulled model, and what an unfinished pull of it has left."""
    from auricle.engines.pulled import remove as remove_directory
    from auricle.engines.pulled import staging_directory
    from auricle.engines.registry import find_model

    model = find_model(name)
    staging = staging_directory(Settings.load().model.cache_dir, model.engine, model.name)
    if is_unfinished := staging.is_dir():
        remove_directory(staging)
        results.print("Removed an unfinished download")
    if _pulled_directory(model).exists() or not is_unfinished:
        directory, lock = _pulled(name)
        remove_directory(directory)
        results.print(f"Removed {directory}: {lock.size_bytes / 1e6:.0f} MB")


def _pulled(name: str) -> "tuple[Path, PulledModel]":
    from auricle.engines.pulled import read_lock
    from auricle.engines.registry import find_model

    model = find_model(name)
    directory = _pulled_directory(model)
    lock = read_lock(directory)
    if lock is None:
        raise SetupError(f"{model.name} was not pulled: there is no model in {directory}.")
    return directory, lock


def _pulled_directory(model: "CatalogueModel") -> Path:
    from auricle.engines.pulled import pulled_directory

    return pulled_directory(Settings.load().model.cache_dir, model.engine, model.name)


def _languages(codes: Sequence[str]) -> str:
    if not codes:
        return "-"
    return ", ".join(codes) if len(codes) <= MAX_SHOWN_LANGUAGES else str(len(codes))
