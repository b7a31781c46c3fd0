"""Models in ONNX as the server knows them; importing this module loads no speech library."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from auricle.engines.base import (
    COMPUTING_PAUSE_S,
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
from auricle.engines.pulled import find_pulled, is_pulled
from auricle.engines.sherpa.catalogue import CATALOGUE, ENGINE
from auricle.engines.sherpa.kinds import CANARY, WHISPER
from auricle.engines.sherpa.model_files import find_model
from auricle.engines.whole_utterances import WholeUtterances
from auricle.values.errors import SetupError

if TYPE_CHECKING:  # workers load no settings
    from auricle.config.sections.model import ModelSettings

MAX_BATCH_JOBS = 8


class SherpaModels:
    """An :class:`.ModelStore`: pulled models, and the operator's directories."""

    default = ""

    def find(self, settings: "ModelSettings", *, in_log: bool = False) -> LocalModel:
        """Return the model of the settings, with its files checked."""
        files = find_model(directory_of(settings), settings.compute_type)
        return LocalModel(str(files.directory), files.directory.name, files.size_mb, files.revision)

    def status(self, settings: "ModelSettings") -> ModelStatus:
        """Return what the model of the settings is, with its files checked."""
        files = find_model(directory_of(settings), settings.compute_type)
        text = f"{files.kind.name} ({files.directory}, {files.size_mb:.0f} MB)"
        return ModelStatus(text, files.size_mb, is_local=True)

    def named(self, cache_dir: Path) -> Sequence[NamedModel]:
        """Return the models that can be pulled."""
        return [
            NamedModel(
                model.name,
                model.source.address,
                round(model.source.download_bytes / 1e6),
                is_pulled(cache_dir, ENGINE, model.name),
                model.licence,
                model.languages,
            )
            for model in CATALOGUE
        ]


def directory_of(settings: "ModelSettings") -> str | None:
    """Return the directory of the settings' model, which may not exist; ``None``: none is set.

    Raises:
        SetupError: It is a name of the catalogue that was not pulled, or its files are damaged.
    """
    name = settings.model
    if not name or Path(name).expanduser().is_dir():
        return name
    if (found := find_pulled(settings.cache_dir, ENGINE, name)) is not None:
        return str(found[0])
    if any(model.name == name for model in CATALOGUE):
        raise SetupError(
            f"The model {name} is not on this machine. Run: auricle models pull {ENGINE}:{name}"
        )
    return name


@dataclass(frozen=True, slots=True)
class SherpaSpec(EngineSpec):
    """The engine's spec; what a model can do depends on its files."""

    def for_model(self, settings: "ModelSettings") -> EngineSpec:
        """Return the spec of the model of the settings, with its files checked.

        Raises:
            SetupError: There is none, or a file is missing, damaged or of another model.
        """
        files = find_model(directory_of(settings), settings.compute_type)
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
    catalogue=CATALOGUE,
    costs=CostModel(
        job_overhead_s=1.0,
        first_seconds_per_load=0.2,
        slowest_factor=8.0,  # text without end, up to the model's limit
        max_pause_s=COMPUTING_PAUSE_S,
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

    from auricle.engines.sherpa.engine import SherpaEngine
    from auricle.engines.sherpa.recognisers import OfflineModel, OnlineModel

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

    from auricle.engines.sherpa.recognisers import OnlineModel
    from auricle.engines.sherpa.streaming import SherpaStreams

    return SherpaStreams(OnlineModel(files, settings.threads), files.languages)
