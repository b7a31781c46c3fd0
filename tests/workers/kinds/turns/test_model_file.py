import hashlib

import pytest

from auricle.engines.onnx_file import read_onnx
from auricle.workers.kinds.turns.model_file import BUNDLED_MODEL

pytestmark = pytest.mark.unit


def test_the_bundled_model_is_the_one_that_its_notice_names() -> None:
    digest = hashlib.sha256(BUNDLED_MODEL.read_bytes()).hexdigest()
    assert digest in BUNDLED_MODEL.with_name("smart_turn.md").read_text()
    assert read_onnx(BUNDLED_MODEL).input_shapes == {"input_features": (None, 80, 800)}
