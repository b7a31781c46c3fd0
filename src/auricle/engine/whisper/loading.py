"""Load a Whisper model for CTranslate2, with clear errors."""

import ctranslate2
from faster_whisper import WhisperModel

from auricle.engine.base import EngineSettings
from auricle.engine.whisper.gpu import compute_type_for
from auricle.errors import SetupError


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


def load_model(settings: EngineSettings, path: str) -> WhisperModel:
    """Load the model in ``path``.

    Raises:
        SetupError: It cannot be loaded; the message says what to do.
    """
    device = device_for(settings.device, ctranslate2.get_cuda_device_count())
    supported = ctranslate2.get_supported_compute_types(device)
    compute_type = compute_type_for(device, settings.compute_type, supported)
    try:
        return WhisperModel(
            path,
            device=device,
            device_index=settings.device_index,
            compute_type=compute_type,
            cpu_threads=settings.threads,
        )
    except (RuntimeError, ValueError, OSError) as exc:
        raise SetupError(
            f"The model {settings.model!r} can't be loaded on {device} as {compute_type}: {exc}"
        ) from exc
