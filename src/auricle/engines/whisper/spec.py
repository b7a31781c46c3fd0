"""Whisper as the server knows it; importing this module loads no speech library."""

from collections.abc import Sequence
from dataclasses import dataclass
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
)
from auricle.engines.pulled import read_lock
from auricle.engines.whisper.gpu import GPU_SUPPORT
from auricle.engines.whisper.models.bundled import bundled_directory, bundled_revision
from auricle.engines.whisper.models.catalogue import BUNDLED_NAME, CATALOGUE
from auricle.engines.whisper.models.fetch import is_in_hub_cache, known_models, resolve, source_of
from auricle.engines.whisper.models.files import (
    BASE_MODEL_MB,
    check_model_directory,
    display_name,
    is_whisper_name,
    model_mb,
    revision_of,
)
from auricle.engines.whisper.window import (
    FRAMES_PER_SECOND,
    FULL_FRAMES,
    MAX_BATCH_JOBS,
    WindowPolicy,
)
from auricle.values.errors import SetupError

if TYPE_CHECKING:  # workers do not load the settings
    from auricle.config.sections.model import ModelSettings


class WhisperModels:
    """An :class:`auricle.engines.base.ModelStore`: bundled, on the Hugging Face Hub or local."""

    default = BUNDLED_NAME

    def find(self, settings: "ModelSettings", *, in_log: bool = False) -> LocalModel:
        """Return the model of the settings; download it if necessary."""
        path = resolve(settings, in_log=in_log)
        if (lock := read_lock(Path(path))) is not None:
            return LocalModel(path, lock.title, model_mb(path), lock.revision)
        if path == str(bundled_directory(settings.cache_dir)):
            # With int8 weights the file is half as large, but batches need the same memory.
            return LocalModel(path, display_name(path), BASE_MODEL_MB, bundled_revision())
        return LocalModel(path, display_name(path), model_mb(path), revision_of(path))

    def status(self, settings: "ModelSettings") -> ModelStatus:
        """Return whether the model of the settings is on this machine."""
        name = settings.model or self.default
        path = Path(name).expanduser()
        if path.is_dir():
            check_model_directory(path)
            return ModelStatus(f"the directory {path}", model_mb(str(path)), is_local=True)
        for model in self.named(settings.cache_dir):
            if model.name == name:
                text = f"{name} ({model.source}, {model.size_mb} MB)"
                return ModelStatus(text, model.size_mb, model.is_local)
        try:
            repository, revision = source_of(name)
        except ValueError as exc:
            raise SetupError(f"There is no model {name!r}; `auricle models` lists them.") from exc
        is_local = is_in_hub_cache(repository, revision)
        return ModelStatus(f"{name}, from the Hugging Face Hub", BASE_MODEL_MB, is_local)

    def named(self, cache_dir: Path) -> Sequence[NamedModel]:
        """Return all models that AURICLE_MODEL accepts by name, the bundled one first."""
        return known_models(cache_dir)


@dataclass(frozen=True, slots=True)
class WhisperSpec(EngineSpec):
    """Models of many names, some of them for English only."""

    def parse_languages(self, model: str) -> frozenset[str]:
        """Return the languages of a model: those whose name ends with ``.en`` know English only."""
        return frozenset({"en"}) if model.endswith(".en") else self.languages

    def is_model_name(self, name: str) -> bool:
        """Return whether a name is that of a Whisper model, in any spelling."""
        return is_whisper_name(name)


def _spellings() -> dict[str, str]:
    """Return what programs call Whisper's weights: ``base`` and ``whisper-base`` are the same."""
    weights = {
        name: name
        for name in (
            *("tiny", "tiny.en", "base", "base.en", "small", "small.en", "medium", "medium.en"),
            *("large-v1", "large-v2", "large-v3", "large-v3-turbo"),
            *("distil-small.en", "distil-medium.en"),
            *("distil-large-v2", "distil-large-v3", "distil-large-v3.5"),
        )
    } | {
        "large": "large-v3",
        "turbo": "large-v3-turbo",
        "large-turbo": "large-v3-turbo",
        "distil-large-v3-en": "distil-large-v3",
    }
    return {
        spelling: f"whisper-{usual}"
        for name, usual in weights.items()
        for spelling in (name, f"whisper-{name}", name.replace("distil-", "distil-whisper-"))
    }


SPEC = WhisperSpec(
    name="Whisper",
    translates=True,
    reads_prompts=True,
    spellings=_spellings(),
    author="OpenAI",
    url="https://github.com/openai/whisper",
    libraries=("faster_whisper", "ctranslate2"),
    catalogue=CATALOGUE,
    models=WhisperModels(),
    max_audio_s=FULL_FRAMES / FRAMES_PER_SECOND,
    costs=CostModel(
        # A second of load takes within a sixth of 24 ms for jobs of 2 to 12 s, alone on one thread.
        # In a full batch short jobs have a higher fixed cost (5.5 and 12 s fit best).
        job_overhead_s=5.0,
        first_seconds_per_load=0.3,
        slowest_factor=40.0,  # a loop in each window and sample
        max_pause_s=COMPUTING_PAUSE_S,
    ),
    batches=BatchRules(
        max_jobs=MAX_BATCH_JOBS,
        # Eight finals take 0.9 s longer than four and save each a tenth of its cost; four partials
        # take twice as long as two without saving time for each (0.92 s against 0.42 s).
        max_final_jobs=4,
        max_optional_jobs=2,
        # Only windows of one length are decoded together: 8 s of speech fit into the first class.
        length_classes_s=WindowPolicy().content_limits_s[:-1],
    ),
    # Whisper base, a file of 145 MB, uses 180 MB between batches, 311 MB while it is loaded, 400 MB
    # for 8 jobs of 11 s, and briefly 469 MB for 8 of 25 s (int8, beam 5, measured 2026-11-27).
    memory=MemoryEstimate(fixed_mb=180.0, per_model_mb=2.0),
    gpu=GPU_SUPPORT,
)


def load(settings: EngineSettings) -> Engine:
    """Load the model in the settings' directory, in a worker.

    Raises:
        SetupError: The model cannot be loaded; the message says what to do.
    """
    from auricle.engines.whisper.short_window import load as load_short_window

    return load_short_window(settings)
