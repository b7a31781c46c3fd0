"""Moonshine tiny-en for ``auricle models pull``: three files of a wheel on PyPI."""

from auricle.engines.catalogue import CatalogueModel, PinnedFile, Wheel, WheelFile, WheelFiles
from auricle.engines.moonshine.model_files import (
    ASSETS,
    CATALOGUE_NAME,
    DECODER,
    ENGINE,
    FILES,
    NAME,
    PACKAGE,
)

PROJECT = PACKAGE.replace("_", "-")
WHEEL = Wheel(
    PROJECT,
    PinnedFile(
        "moonshine_voice-0.0.73-py3-none-manylinux_2_34_x86_64.whl",
        56_320_672,
        "6461c8097ed78d054c46b4c821143008a07b5fa1f4169674493ccfa06c1407db",
    ),
)
"""Its model files are the same on all systems, and nothing else in it is used."""

CATALOGUE = (
    CatalogueModel(
        CATALOGUE_NAME,
        ENGINE,
        NAME,
        WheelFiles(
            (WHEEL,),
            tuple(
                WheelFile(file, ((PROJECT, f"{PACKAGE}/{ASSETS}/{file.name}"),)) for file in FILES
            ),
            DECODER.sha256,
        ),
        "MIT",
        "https://github.com/moonshine-ai/moonshine/blob/main/LICENSE",
        frozenset({"en"}),
    ),
)
