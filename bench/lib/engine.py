"""The engines without workers: one model in this process, with one thread."""

from faster_whisper import WhisperModel

from auricle.engines.base import EngineSettings
from auricle.engines.whisper.loading import load_backend
from auricle.engines.whisper.short_window import ShortWindowEngine


def load_whisper(model: str) -> WhisperModel:
    return WhisperModel(model, device="cpu", compute_type="int8", cpu_threads=1)


def load_engine(model: str) -> ShortWindowEngine:
    return ShortWindowEngine(load_backend(EngineSettings(model, "cpu", "int8", 1)))
