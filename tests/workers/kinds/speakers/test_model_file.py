import hashlib
from pathlib import Path

import pytest

from auricle.engines.onnx_file import read_onnx
from auricle.values.errors import SetupError
from auricle.workers.kinds.speakers.model_file import BUNDLED_MODEL, check_file
from tests.support.onnx_writer import FLOAT, Shape, graph, node, onnx_file

pytestmark = pytest.mark.unit


def model(path: Path, inputs: dict[str, Shape], outputs: tuple[str, ...] = ("e",)) -> Path:
    ports = {name: (FLOAT, shape) for name, shape in inputs.items()}
    content = graph(
        [node("Identity", [next(iter(inputs))], [outputs[0]])],
        ports,
        {name: (FLOAT, ["b", 192]) for name in outputs},
        {},
    )
    (path / "model.onnx").write_bytes(onnx_file(content))
    return path / "model.onnx"


def test_the_bundled_model_is_the_one_that_its_notice_names() -> None:
    digest = hashlib.sha256(BUNDLED_MODEL.read_bytes()).hexdigest()
    assert digest in BUNDLED_MODEL.with_name("campplus.md").read_text()
    assert read_onnx(BUNDLED_MODEL).input_shapes == {"x": (None, None, 80)}
    check_file(BUNDLED_MODEL)


def test_another_model_may_leave_its_sizes_open(tmp_path: Path) -> None:
    check_file(model(tmp_path, {"feats": ["b", "t", "bands"]}))


@pytest.mark.parametrize(
    ("inputs", "outputs"),
    [
        ({"input_features": ["b", 80, 800]}, ("e",)),  # an end-of-turn model
        ({"x": ["b", "t", 40]}, ("e",)),
        ({"x": ["b", "n"]}, ("e",)),  # waveforms
        ({"x": ["b", "t", 80], "lengths": ["b"]}, ("e",)),
        ({"x": ["b", "t", 80]}, ("e", "logits")),
    ],
)
def test_models_of_another_kind_are_rejected(
    tmp_path: Path, inputs: dict[str, Shape], outputs: tuple[str, ...]
) -> None:
    with pytest.raises(SetupError, match="not a speaker model"):
        check_file(model(tmp_path, inputs, outputs))


@pytest.mark.parametrize("content", [b"", b"no model", BUNDLED_MODEL.read_bytes()[:100_000]])
def test_damaged_files_are_rejected(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.onnx").write_bytes(content)
    with pytest.raises(SetupError, match="cannot be used"):
        check_file(tmp_path / "model.onnx")


def test_a_folder_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="cannot be read"):
        check_file(tmp_path)
