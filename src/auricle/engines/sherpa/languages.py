"""Find the languages of a model: in its files, or in its name."""

import re
from collections.abc import Mapping
from pathlib import Path

from auricle.engines.sherpa.kinds import CANARY, SENSE_VOICE, WHISPER, Kind
from auricle.values.errors import SetupError
from auricle.values.languages import LANGUAGES

FILE = "languages.txt"
"""A file in the model's directory in which the operator names its languages."""
SENSE_VOICE_LANGUAGES = frozenset({"zh", "en", "ja", "ko", "yue"})
PARAKEET_V3_LANGUAGES = frozenset(
    (
        *("bg", "hr", "cs", "da", "nl", "en", "et", "fi", "fr", "de", "el", "hu", "it"),
        *("lv", "lt", "mt", "pl", "pt", "ro", "sk", "sl", "es", "sv", "ru", "uk"),
    )
)
"""https://huggingface.co/nvidia/parakeet-tdt-0.6b-v3"""
_PARAKEET = "parakeet-tdt-0.6b-v"
_CANARY_LANGUAGE = re.compile(r"<\|([a-z]{2})\|>")


def find_languages(
    kind: Kind,
    directory: Path,
    metadata: Mapping[str, str],
    tokens: Mapping[str, int],
) -> frozenset[str]:
    """Return the codes of a model's languages.

    The sources, best first: the operator's file, the model's files, its published name.

    Args:
        kind: Kind of the model.
        directory: The model's directory; its name is used, too.
        metadata: Metadata of its encoder.
        tokens: Its tokens.

    Raises:
        SetupError: They cannot be found; the message says what to do.
    """
    codes = _from_file(directory / FILE)
    if codes is None:
        codes = _from_model(kind, metadata, tokens)
    if codes is None:
        codes = _from_names(_names(directory, metadata))
    known = codes & LANGUAGES
    if not known:
        raise SetupError(
            f"The languages of the model in {directory} are unknown. Write their codes, such as "
            f"`en`, into the file {directory / FILE}."
        )
    return known


def _from_file(path: Path) -> frozenset[str] | None:
    try:
        with path.open("rb") as file:
            codes = frozenset(re.split(r"[\s,]+", file.read(10_000).decode().strip()))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as exc:
        raise SetupError(f"{path} cannot be read: {exc}.") from exc
    if unknown := codes - LANGUAGES:
        raise SetupError(f"{path} has unknown language codes: {', '.join(sorted(unknown))}.")
    return codes


def _from_model(
    kind: Kind, metadata: Mapping[str, str], tokens: Mapping[str, int]
) -> frozenset[str] | None:
    if kind is SENSE_VOICE:
        return SENSE_VOICE_LANGUAGES
    if kind is WHISPER:
        is_multilingual = metadata.get("is_multilingual", "0").strip("0")
        codes = metadata.get("all_language_codes", "")
        return frozenset(codes.split(",")) if is_multilingual else frozenset({"en"})
    if kind is CANARY:
        matches = (_CANARY_LANGUAGE.fullmatch(token) for token in tokens)
        return frozenset(match[1] for match in matches if match)
    return None


def _names(directory: Path, metadata: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of a model, the directory's first; it may be a link to a better one."""
    url = metadata.get("url", "").rstrip("/").rpartition("/")[2]
    return (directory.name.lower(), directory.resolve().name.lower(), url.lower())


def _from_names(names: tuple[str, ...]) -> frozenset[str]:
    for name in names:
        if f"{_PARAKEET}3" in name:
            return PARAKEET_V3_LANGUAGES
        if f"{_PARAKEET}2" in name:
            return frozenset({"en"})
        codes = frozenset(re.split(r"[^a-z]+", name)) & LANGUAGES
        if codes:
            return codes
    return frozenset()
