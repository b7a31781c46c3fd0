"""Files of models: found by their names, and checked before any C++ reads them."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from auricle.engines.sherpa.model_files import find_model
from auricle.values.errors import SetupError
from tests.support.onnx_writer import FLOAT, INT64, graph, node, onnx_file
from tests.support.sherpa_generators import GENERATORS
from tests.support.sherpa_models import MAKERS, sense_voice, tokens_text, transducer

pytestmark = pytest.mark.unit

TOKENS = ("<blk>", "<unk>", "▁a", "b")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return transducer(tmp_path / "zipformer-en", TOKENS)


@pytest.mark.parametrize("name", MAKERS | GENERATORS)
def test_each_kind_is_found(tmp_path: Path, name: str) -> None:
    files = find_model(str((MAKERS | GENERATORS)[name](tmp_path / name)))
    assert files.directory == tmp_path / name
    assert set(files.graphs) == set(files.kind.parts)
    assert files.size_mb > 0
    assert not files.is_quantised


def test_a_relative_path_becomes_absolute(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(model.parent)
    assert find_model("zipformer-en").directory == model


def test_the_revision_depends_on_the_files(model: Path) -> None:
    before = find_model(str(model)).revision
    assert find_model(str(model)).revision == before
    (model / "tokens.txt").write_text(tokens_text(*TOKENS[:-1], "c"))
    assert find_model(str(model)).revision != before


def test_small_weights_are_preferred_unless_float_is_asked_for(model: Path) -> None:
    small = model / "encoder-epoch-99-avg-1.int8.onnx"
    shutil.copy(model / "encoder-epoch-99-avg-1.onnx", small)
    assert find_model(str(model)).graphs["encoder"] == small
    assert find_model(str(model), "float32").graphs["encoder"] != small


def test_quantised_activations_are_noticed(model: Path) -> None:
    content = graph(
        [
            node("DynamicQuantizeLinear", ["x"], ["a", "scale", "zero"]),
            node("Identity", ["x_lens"], ["lens"]),
        ],
        {"x": (FLOAT, ["N", "T", 80]), "x_lens": (INT64, ["N"])},
        {"a": (FLOAT, ["N", "T", 80]), "lens": (INT64, ["N"])},
        {},
    )
    (model / "encoder-epoch-99-avg-1.onnx").write_bytes(onnx_file(content))
    assert find_model(str(model)).is_quantised


@pytest.mark.parametrize(
    ("tokens", "is_spaceless", "is_upper_case"),
    [(TOKENS, False, False), (("<blk>", "<unk>", "▁A", "B"), False, True)]
    + [(("<blk>", "<unk>", "你", "好"), True, True)],
)
def test_how_tokens_are_written(
    tmp_path: Path, tokens: tuple[str, ...], is_spaceless: bool, is_upper_case: bool
) -> None:
    files = find_model(str(transducer(tmp_path / "zipformer-zh", tokens)))
    assert (files.is_spaceless, files.is_upper_case) == (is_spaceless, is_upper_case)
    assert files.reads_hotwords is is_spaceless


def test_a_vocabulary_of_pieces_allows_hot_words(model: Path) -> None:
    (model / "bpe.vocab").write_text("<unk>\t0\n▁a\t-1\n")
    assert find_model(str(model)).reads_hotwords
    (model / "bpe.vocab").write_text("<unk>\n")
    with pytest.raises(SetupError, match=r"bpe.vocab cannot be used: line 1"):
        find_model(str(model))


def test_without_a_model_the_message_says_what_to_do() -> None:
    with pytest.raises(SetupError, match="no default model. Set AURICLE_MODEL to the directory"):
        find_model(None)


def test_a_missing_directory_is_reported(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="no/model does not exist. Set AURICLE_MODEL"):
        find_model(str(tmp_path / "no" / "model"))


def test_a_file_in_place_of_a_directory_is_reported(tmp_path: Path) -> None:
    (tmp_path / "model").write_text("a")
    with pytest.raises(SetupError, match="model cannot be read: Not a directory"):
        find_model(str(tmp_path / "model"))


def test_a_directory_without_permission_is_reported(model: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read any directory")
    model.chmod(0)
    with pytest.raises(SetupError, match="zipformer-en cannot be read: Permission denied"):
        find_model(str(model))


def remove(name: str) -> Callable[[Path], object]:
    return lambda model: (model / name).unlink()


def replace(name: str, content: bytes) -> Callable[[Path], object]:
    return lambda model: (model / name).write_bytes(content)


def cut(name: str, end: int) -> Callable[[Path], object]:
    return lambda model: (model / name).write_bytes((model / name).read_bytes()[:end])


def copy(source: str, target: str) -> Callable[[Path], object]:
    return lambda model: shutil.copy(model / source, model / target)


ENCODER, DECODER, JOINER = (
    f"{part}-epoch-99-avg-1.onnx" for part in ("encoder", "decoder", "joiner")
)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (remove("tokens.txt"), "must have one token file, tokens.txt; it has 0"),
        (copy("tokens.txt", "tiny-tokens.txt"), "must have one token file, tokens.txt; it has 2"),
        (remove(JOINER), "or a file is missing: it has the parts decoder, encoder"),
        (replace(ENCODER, b""), f"{ENCODER} cannot be used: it is empty. Get the model's files"),
        (replace(ENCODER, bytes(5000)), f"{ENCODER} cannot be used: it is not an ONNX file"),
        (cut(ENCODER, -700), f"{ENCODER} cannot be used: it is truncated"),
        (cut(DECODER, 60), f"{DECODER} cannot be used: it is truncated"),
        (copy(JOINER, ENCODER), rf"{ENCODER} cannot be used: it has 2 inputs and 1 .*transducer"),
        (copy(JOINER, DECODER), f"{DECODER} cannot be used: its metadata lacks vocab_size"),
        (copy(DECODER, JOINER), f"{JOINER} cannot be used: it has 1 inputs"),
        (copy(ENCODER, "encoder.onnx"), f"several files for the encoder: {ENCODER}, encoder.onnx"),
        (replace("tokens.txt", b"a 0\nb\n"), "tokens.txt cannot be used: line 2"),
        (replace("tokens.txt", b"a 0\n"), "it has 1 tokens instead of 4; it is of another model"),
    ],
)
def test_a_damaged_model_is_reported(
    model: Path, damage: Callable[[Path], object], reason: str
) -> None:
    damage(model)
    with pytest.raises(SetupError, match=reason):
        find_model(str(model))


def test_the_token_file_of_another_nemo_model_is_reported(tmp_path: Path) -> None:
    model = MAKERS["parakeet-tdt-0.6b-v3"](tmp_path / "parakeet-tdt-0.6b-v3")
    (model / "tokens.txt").write_text(tokens_text("<blk>", *TOKENS))
    with pytest.raises(SetupError, match="its token <blk> must have the number 11"):
        find_model(str(model))


def test_the_token_file_of_another_canary_is_reported(tmp_path: Path) -> None:
    model = GENERATORS["canary"](tmp_path / "canary")
    tokens = (model / "tokens.txt").read_text()
    (model / "tokens.txt").write_text(tokens.replace("<|noitn|>", "<|other|>"))
    with pytest.raises(SetupError, match=r"lacks the token <\|noitn\|>; it is of another model"):
        find_model(str(model))


def test_the_token_file_of_a_whisper_is_in_base64(tmp_path: Path) -> None:
    model = GENERATORS["whisper"](tmp_path / "whisper")
    (model / "made-tokens.txt").write_text(tokens_text(*TOKENS))
    with pytest.raises(SetupError, match="line 1 is not in base64; it is the file of another"):
        find_model(str(model))


def test_a_directory_of_other_files_is_reported(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"CTranslate2")
    (tmp_path / "speakers.onnx").write_bytes(b"")
    with pytest.raises(SetupError, match=r"no \.onnx or \.ort file has a known name"):
        find_model(str(tmp_path))


def test_an_unsupported_model_is_named(tmp_path: Path) -> None:
    content = graph([node("Identity", ["x"], ["y"])], {"x": (FLOAT, [1])}, {"y": (FLOAT, [1])}, {})
    (tmp_path / "model.onnx").write_bytes(onnx_file(content, {"model_type": "paraformer"}))
    with pytest.raises(SetupError, match="of the type 'paraformer' is not supported"):
        find_model(str(tmp_path))


def test_a_pipe_is_not_opened(model: Path) -> None:
    (model / ENCODER).unlink()
    os.mkfifo(model / ENCODER)
    with pytest.raises(SetupError, match="has the parts decoder, joiner"):
        find_model(str(model))


def test_a_model_without_languages_is_reported(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="languages of the model in .* are unknown"):
        find_model(str(transducer(tmp_path / "mine")))
    assert find_model(str(sense_voice(tmp_path / "other"))).languages
