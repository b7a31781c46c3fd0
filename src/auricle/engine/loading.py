"""Loads a Whisper model for CTranslate2, and says in plain words why it can't."""

from collections.abc import Collection

import ctranslate2
from faster_whisper import WhisperModel

from auricle.engine import EngineSettings
from auricle.errors import SetupError

CUDA_PREFERENCE = ("float16", "int8_float16", "int8_float32", "float32")


def compute_type_for(device: str, requested: str, supported: Collection[str]) -> str:
    """Return the number type to compute in: int8 on a CPU, float16 on a GPU that has it."""
    if requested != "default":
        return requested
    if device == "cpu":
        return "int8" if "int8" in supported else "default"
    return next((kind for kind in CUDA_PREFERENCE if kind in supported), "default")


def device_for(requested: str, gpu_count: int) -> str:
    """Return where the model runs: ``auto`` takes a GPU if there is one.

    Raises:
        SetupError: A GPU is asked for and none can be used.
    """
    if requested == "cuda" and not gpu_count:
        raise SetupError(
            "AURICLE_DEVICE is cuda, but CTranslate2 finds no GPU: check nvidia-smi and install "
            "auricle[cuda], or set AURICLE_DEVICE=cpu."
        )
    return requested if requested != "auto" else ("cuda" if gpu_count else "cpu")


def load_model(settings: EngineSettings, path: str) -> WhisperModel:
    """Load the model in ``path``.

    Raises:
        SetupError: It can't be loaded; the message says what to do.
    """
    device = device_for(settings.device, ctranslate2.get_cuda_device_count())
    supported = ctranslate2.get_supported_compute_types(device)
    compute_type = compute_type_for(device, settings.compute_type, supported)
    try:
        return WhisperModel(
            path, device=device, compute_type=compute_type, cpu_threads=settings.threads
        )
    except (RuntimeError, ValueError, OSError) as exc:
        raise SetupError(
            f"The model {settings.model!r} can't be loaded on {device} as {compute_type}: {exc}"
        ) from exc
