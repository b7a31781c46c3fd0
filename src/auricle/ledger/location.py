"""Finds where jobs are kept: in SQLite and a directory, or where the URLs of the settings lead.

The folders of :mod:`auricle.ledger.databases` and :mod:`auricle.ledger.audio` that have a module
``spec`` add databases and stores of audio, each with the schemes of its URLs.
"""

import re
from pathlib import Path
from types import ModuleType
from typing import Any

import structlog

import auricle.ledger.audio
import auricle.ledger.databases
from auricle.config.section import variable
from auricle.config.sections.ledger import LedgerSettings
from auricle.config.settings import Settings
from auricle.ledger.audio.directory import AudioDirectory
from auricle.ledger.audio.spec import AudioSpec
from auricle.ledger.audio.store import AudioStore
from auricle.ledger.databases.database import Database
from auricle.ledger.databases.spec import DatabaseSpec
from auricle.ledger.databases.sqlite import SqliteDatabase
from auricle.system.spec_modules import find_specs
from auricle.values.errors import LedgerUnavailable, SetupError

AUDIO_DIRECTORY = "audio"
"""Name of the directory of audio in the state directory."""

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://", re.ASCII)
_log = structlog.get_logger("auricle.ledger")


def check_urls(settings: LedgerSettings) -> None:
    """Check the URLs of the database and of the store of audio; connects to nothing.

    Raises:
        SetupError: This installation does not support one, or it is malformed.
    """
    if settings.database_url is not None:
        database_at(settings.database_url.get_secret_value())
    if settings.audio_url is not None:
        audio_at(settings.audio_url)


def database_at(url: str) -> DatabaseSpec:
    """Return what opens the database at a URL.

    Raises:
        SetupError: This installation does not support the URL.
    """
    spec: DatabaseSpec = _spec_of(auricle.ledger.databases, "database_url", url)
    return spec


def audio_at(url: str) -> AudioSpec:
    """Return what opens the store of audio at a URL.

    Raises:
        SetupError: This installation does not support the URL, or it is malformed.
    """
    spec: AudioSpec = _spec_of(auricle.ledger.audio, "audio_url", url)
    spec.check_url(url)
    return spec


def open_database(settings: LedgerSettings) -> Database:
    """Open the database, and create or migrate its tables; blocks.

    Raises:
        SetupError: The database can't be used; the message says why.
    """
    if settings.database_url is None:
        return SqliteDatabase.open(settings.directory)
    url = settings.database_url.get_secret_value()
    return database_at(url).open(url)


def open_audio(settings: Settings, copies: Path) -> AudioStore:
    """Open the store of audio; blocks. A service that does not answer is no error.

    Args:
        settings: Where the audio is.
        copies: Directory for local copies of audio that is elsewhere.

    Raises:
        SetupError: The store can't be used; the message says why.
    """
    url = settings.ledger.audio_url
    if url is None:
        return AudioDirectory(settings.ledger.directory / AUDIO_DIRECTORY)
    store = audio_at(url).open(url, settings, copies)
    try:
        store.check()
    except LedgerUnavailable as error:  # live speech needs no jobs
        _log.warning("audio_store_failed", action="check", error=type(error.__cause__).__name__)
    return store


def _spec_of(package: ModuleType, setting: str, url: str) -> Any:
    """Return the spec of the folder that supports the scheme of a URL, which may have a password.

    Raises:
        SetupError: There is no such folder.
    """
    specs = find_specs(package).values()
    match = _SCHEME.match(url)
    scheme = match[1] if match else ""
    for spec in specs:
        if scheme in spec.schemes:
            return spec
    what = f"the scheme {scheme}://" if scheme else "a text without a scheme"
    supported = ", ".join(f"{each}://" for spec in specs for each in spec.schemes if each)
    raise SetupError(
        f"{variable(setting)}: this installation does not support {what}, since no folder of "
        f"{package.__name__} does. Supported: {supported or 'nothing; unset the variable'}."
    )
