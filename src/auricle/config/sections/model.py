"""Settings of the model."""

from pathlib import Path
from typing import Literal

import platformdirs
from pydantic import Field

from auricle.config.section import Listed, Section


class ModelSettings(Section):
    """The model and how it is loaded."""

    title = "Model"
    common = ("model", "device")
    options = ("model", "device", "compute_type")

    model: str | None = Field(
        None,
        description="Model, by a name that `auricle models` lists or a path; none: the engine's.",
    )
    device: Literal["cpu", "cuda", "auto"] = Field(
        "cpu", description="Device that runs the model: `cpu`, `cuda` or `auto`."
    )
    gpus: int = Field(0, ge=0, description="Number of GPUs to use; 0: all.")
    compute_type: str = Field(
        "default",
        description="Number type of the engine, such as `int8`; `default`: the engine's choice.",
    )
    cache_dir: Path = Field(
        default_factory=lambda: Path(platformdirs.user_cache_dir("auricle")),
        description="Directory of models, and of the results of `auricle bench --save`.",
    )
    engine: str = Field(
        "whisper",
        description="Engine: one that `auricle models` lists, or the name of a module.",
    )
    model_aliases: Listed[str] = Field(
        (),
        description="More names of models in requests, comma-separated: `fast=tiny`.",
    )
    unknown_models: Literal["auto", "reject", "default"] = Field(
        "auto",
        description="Requests for models that are not served: `reject` (404), or use the `default` "
        "model; `auto`: `reject` if there are several models.",
    )
