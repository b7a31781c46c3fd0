"""Moonshine as the server knows it; importing this module loads no speech library."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from auricle.engines.base import (
    COMPUTING_PAUSE_S,
    CostModel,
    Engine,
    EngineSettings,
    EngineSpec,
    LocalModel,
    MemoryEstimate,
    ModelStatus,
    NamedModel,
    StreamingRecognizer,
)
from auricle.engines.moonshine.catalogue import CATALOGUE
from auricle.engines.moonshine.model_files import (
    CATALOGUE_NAME,
    DECODER,
    NAME,
    SIZE_MB,
    VOCABULARY,
    check_file,
    find_directory,
    is_known,
)

if TYPE_CHECKING:  # onnxruntime is imported in workers only, the settings in the server
    from auricle.config.sections.model import ModelSettings
    from auricle.engines.moonshine.onnx_model import MoonshineModel
    from auricle.engines.moonshine.vocabulary import Vocabulary


class MoonshineModels:
    """An :class:`auricle.engines.base.ModelStore`: one model, pulled, packaged or a directory."""

    default = NAME

    def find(self, settings: "ModelSettings", *, in_log: bool = False) -> LocalModel:
        """Return the model of the settings, with its files checked."""
        directory = find_directory(settings.model, settings.cache_dir)
        return LocalModel(str(directory), NAME, SIZE_MB, DECODER.sha256)

    def status(self, settings: "ModelSettings") -> ModelStatus:
        """Return where the model of the settings is, with its files checked."""
        directory = find_directory(settings.model, settings.cache_dir)
        text = f"{NAME} ({directory}, {SIZE_MB:.0f} MB)"
        return ModelStatus(text, SIZE_MB, is_local=True)

    def named(self, cache_dir: Path) -> Sequence[NamedModel]:
        """Return the only model."""
        (model,) = CATALOGUE
        is_local = is_known(cache_dir)
        return (
            NamedModel(
                CATALOGUE_NAME,
                model.source.address,
                round(SIZE_MB),
                is_local,
                model.licence,
                model.languages,
            ),
        )


SPEC = EngineSpec(
    name="Moonshine",
    models=MoonshineModels(),
    languages=frozenset({"en"}),
    detects_language=False,
    has_word_times=False,  # the graph does not return its attention
    streams=True,
    # A partial costs a fifth of one of Whisper base (docs/decisions/080).
    is_cheap=True,
    spellings={
        **dict.fromkeys(("moonshine-tiny", "moonshine/tiny"), "moonshine-tiny-en"),
        **dict.fromkeys(("moonshine-base", "moonshine/base"), "moonshine-base-en"),
    },
    author="Moonshine AI",
    url="https://github.com/moonshine-ai/moonshine",
    libraries=("onnxruntime",),
    catalogue=CATALOGUE,
    costs=CostModel(
        job_overhead_s=1.0,
        first_seconds_per_load=0.06,
        slowest_factor=8.0,  # two texts at their limit of 10 tokens/s; speech has about 3
        max_pause_s=COMPUTING_PAUSE_S,
    ),
    # A worker uses 185 MB, and 140 MB more during 30 s of audio (one thread, measured 2026-11-26).
    memory=MemoryEstimate(fixed_mb=280.0),
)


def load(settings: EngineSettings) -> Engine:
    """Load the model in the settings' directory, in a worker.

    Raises:
        SetupError: A file is missing or is not the expected one; the message says what to do.
    """
    from auricle.engines.moonshine.engine import MoonshineEngine

    return MoonshineEngine(*_parts(settings))


def load_streaming(settings: EngineSettings) -> StreamingRecognizer:
    """Load the same model for unfinished speech, in a worker.

    Raises:
        SetupError: A file is missing or is not the expected one; the message says what to do.
    """
    from auricle.engines.moonshine.streaming import MoonshineStreams

    return MoonshineStreams(*_parts(settings))


def _parts(settings: EngineSettings) -> "tuple[MoonshineModel, Vocabulary]":
    from auricle.engines.moonshine.onnx_model import MoonshineModel
    from auricle.engines.moonshine.vocabulary import Vocabulary

    directory = Path(settings.model)
    vocabulary = Vocabulary(check_file(directory, VOCABULARY).read_bytes())
    return MoonshineModel(directory, settings.threads), vocabulary
