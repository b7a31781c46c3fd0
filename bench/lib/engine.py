"""The engine without workers: one model in this process, with one thread."""

from faster_whisper import WhisperModel

from auricle.engine.base import EngineSettings
from auricle.engine.whisper.ctranslate2_model import WhisperBackend
from auricle.engine.whisper.loading import load_model
from auricle.engine.whisper.short_window import ShortWindowEngine


def load_whisper(model: str) -> WhisperModel:
    return load_model(EngineSettings(model, "cpu", "int8", 1), model)


def load_engine(model: str) -> ShortWindowEngine:
    return ShortWindowEngine(WhisperBackend(load_whisper(model)))
