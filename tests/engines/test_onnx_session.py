"""Sessions of onnxruntime."""

from pathlib import Path

import pytest

from auricle.engines.onnx_session import open_session
from auricle.workers.kinds.turns.model_file import BUNDLED_MODEL

pytestmark = pytest.mark.unit


def test_a_session_has_the_requested_threads_and_keeps_no_memory() -> None:
    options = open_session(BUNDLED_MODEL, 2).get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (2, 1)
    assert not options.enable_cpu_mem_arena
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"


def test_a_broken_file_is_an_error(tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not a model")
    with pytest.raises(Exception, match="broken.onnx"):
        open_session(broken, 1)
