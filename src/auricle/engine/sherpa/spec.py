"""Models in ONNX as the server knows them; importing this module loads no speech library."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from auricle.config.settings import ModelSettings
from auricle.engine.base import (
    BatchRules,
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
from auricle.engine.sherpa.kinds import CANARY, WHISPER
from auricle.engine.sherpa.model_files import find_model
from auricle.engine.whole_utterances import WholeUtterances

MAX_BATCH_JOBS = 8


class SherpaModels:
    """An :class:`auricle.engine.base.ModelStore`: directories of the operator."""

    default = ""

    def find(self, settings: ModelSettings, *, in_log: bool = False) -> LocalModel:
        """Return the model of the settings, with its files checked."""
        files = find_model(settings.model, settings.compute_type)
        return LocalModel(str(files.directory), files.directory.name, files.size_mb, files.revision)

    def status(self, settings: ModelSettings) -> ModelStatus:
        """Return what the model of the settings is, with its files checked."""
        files = find_model(settings.model, settings.compute_type)
        text = f"{files.kind.name} ({files.directory}, {files.size_mb:.0f} MB)"
        return ModelStatus(text, files.size_mb, is_local=True)

    def named(self, cache_dir: Path) -> Sequence[NamedModel]:
        """Return none: models are directories."""
        return ()


@dataclass(frozen=True, slots=True)
class SherpaSpec(EngineSpec):
    """The engine's spec; what a model can do depends on its files."""

    def for_model(self, model: str) -> EngineSpec:
        """Return the spec of the model in a directory, with its files checked.

        Raises:
            SetupError: There is none, or a file is missing, damaged or of another model.
        """
        files = find_model(model)
        kind = files.kind
        is_batched = kind.batches and not files.is_quantised
        return replace(
            self,
            name=f"sherpa-onnx ({kind.name})",
            languages=files.languages,
            detects_language=kind.detects_language and len(files.languages) > 1,
            translates=(kind is CANARY and "en" in files.languages)
            or (kind is WHISPER and len(files.languages) > 1),
            has_word_times=files.has_word_times,
            reads_prompts=files.reads_hotwords,
            streams=kind.streams,
            max_audio_s=kind.max_audio_s,
            batches=BatchRules(max_jobs=MAX_BATCH_JOBS if is_batched else 1),
        )


SPEC = SherpaSpec(
    name="sherpa-onnx",
    models=SherpaModels(),
    streams=True,
    libraries=("sherpa_onnx",),
    costs=CostModel(
        job_overhead_s=1.0,
        first_seconds_per_load=0.2,
        slowest_factor=8.0,  # text without end, up to the model's limit
    ),
    # onnxruntime copies weights while it loads them.
    memory=MemoryEstimate(fixed_mb=300.0, per_model_mb=2.0),
)


def load(settings: EngineSettings) -> Engine:
    """Load the model in the settings' directory, in a worker.

    Raises:
        SetupError: A file is missing, damaged or of another model; the message says what to do.
    """
    files = find_model(settings.model, settings.compute_type)

    from auricle.engine.sherpa.engine import SherpaEngine
    from auricle.engine.sherpa.recognisers import OfflineModel, OnlineModel

    model = (OnlineModel if files.kind.streams else OfflineModel)(files, settings.threads)
    return SherpaEngine(model, files.languages, may_repeat=files.kind.generates)


def load_streaming(settings: EngineSettings) -> StreamingRecognizer:
    """Load the model in the settings' directory for streams, in a worker.

    A model that does not stream recognises the whole utterance for each partial.

    Raises:
        SetupError: A file is missing, damaged or of another model; the message says what to do.
    """
    files = find_model(settings.model, settings.compute_type)
    if not files.kind.streams:
        return WholeUtterances(load(settings))

    from auricle.engine.sherpa.recognisers import OnlineModel
    from auricle.engine.sherpa.streaming import SherpaStreams

    return SherpaStreams(OnlineModel(files, settings.threads), files.languages)
