"""The engines without workers: one model in this process, with one thread."""

from faster_whisper import WhisperModel

from auricle.engine.base import Engine, EngineSettings
from auricle.engine.moonshine import spec as moonshine
from auricle.engine.whisper.ctranslate2_model import WhisperBackend
from auricle.engine.whisper.loading import load_model
from auricle.engine.whisper.short_window import ShortWindowEngine


def load_whisper(model: str) -> WhisperModel:
    return load_model(EngineSettings(model, "cpu", "int8", 1), model)


def load_engine(model: str) -> ShortWindowEngine:
    return ShortWindowEngine(WhisperBackend(load_whisper(model)))


def load_moonshine(directory: str) -> Engine:
    engine = moonshine.load(EngineSettings(directory, "cpu", "default", 1))
    engine.warm_up()
    return engine
