"""Put a Whisper model where the client of the Hugging Face Hub looks for a downloaded repository.

    python -m stt_resilience.hub_cache CACHE [MODEL]

Servers that take the name of a model then find it with HF_HUB_CACHE=CACHE, without a download.
Without MODEL, nothing is done: they download it.
"""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

REPOSITORY = "Systran/faster-whisper-base"
REVISION = "ebe41f70d5b6dfa9166e2c581c45c9c0cfc57b66"
FILES = ("config.json", "model.bin", "tokenizer.json", "vocabulary.*")
PREPROCESSOR = '{"feature_size": 80, "sampling_rate": 16000, "hop_length": 160, "n_fft": 400}\n'
"""Options of the audio in Whisper base, which speaches asks for."""
CARD = """\
---
language: [en]
tags: [audio, automatic-speech-recognition]
library_name: ctranslate2
license: mit
---
"""
"""Speaches reads from it what the model is for."""


def main(arguments: Sequence[str]) -> None:
    """Copy the model into the cache."""
    if len(arguments) < 2 or not arguments[1]:
        return
    cache, model = (Path(argument) for argument in arguments)
    repository = cache / f"models--{REPOSITORY.replace('/', '--')}"
    snapshot = repository / "snapshots" / REVISION
    snapshot.mkdir(parents=True, exist_ok=True)
    for pattern in FILES:
        for file in model.glob(pattern):
            shutil.copyfile(file, snapshot / file.name)
    (snapshot / "preprocessor_config.json").write_text(PREPROCESSOR, "utf-8")
    (snapshot / "README.md").write_text(CARD, "utf-8")
    (repository / "refs").mkdir(exist_ok=True)
    (repository / "refs" / "main").write_text(REVISION, "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
