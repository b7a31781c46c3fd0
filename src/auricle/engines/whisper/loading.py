"""Load a Whisper model for CTranslate2, with clear errors."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import ctranslate2
import tokenizers

from auricle.engines.base import EngineSettings
from auricle.engines.whisper.ctranslate2_model import WhisperBackend
from auricle.engines.whisper.gpu import compute_type_for
from auricle.values.errors import SetupError

Loaded = TypeVar("Loaded")


def device_for(requested: str, gpu_count: int) -> str:
    """Return the model's device; ``auto`` selects a GPU if there is one.

    Raises:
        SetupError: The device is ``cuda`` and no GPU can be used.
    """
    if requested == "cuda" and not gpu_count:
        raise SetupError(
            "AURICLE_DEVICE is cuda, but CTranslate2 finds no GPU. Run `auricle doctor --gpu` for "
            "the reason, or set AURICLE_DEVICE=cpu."
        )
    return requested if requested != "auto" else ("cuda" if gpu_count else "cpu")


def load_backend(settings: EngineSettings) -> WhisperBackend:
    """Load the model in the settings' directory.

    Raises:
        SetupError: It cannot be loaded; the message says what to do.
    """

    def construct(path: str, device: str, compute_type: str) -> WhisperBackend:
        model = ctranslate2.models.Whisper(
            path,
            device=device,
            device_index=settings.device_index,
            compute_type=compute_type,
            intra_threads=settings.threads,
        )
        vocabulary = tokenizers.Tokenizer.from_file(str(Path(path, "tokenizer.json")))
        return WhisperBackend(model, vocabulary)

    return load_with(settings, construct)


def load_with(settings: EngineSettings, construct: Callable[[str, str, str], Loaded]) -> Loaded:
    """Return what a function makes of the model's directory, its device and its number type.

    Raises:
        SetupError: It cannot be loaded; the message says what to do.
    """
    device = device_for(settings.device, ctranslate2.get_cuda_device_count())
    supported = ctranslate2.get_supported_compute_types(device)
    compute_type = compute_type_for(device, settings.compute_type, supported)
    try:
        return construct(settings.model, device, compute_type)
    except (RuntimeError, ValueError, OSError) as exc:
        raise SetupError(
            f"The model {settings.model!r} can't be loaded on {device} as {compute_type}: {exc}"
        ) from exc
