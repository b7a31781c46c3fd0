"""The file of the turn model, which is part of the package."""

from pathlib import Path

BUNDLED_MODEL = Path(__file__).with_name("smart-turn.onnx")
