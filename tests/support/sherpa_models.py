"""Made models of each kind that sherpa-onnx loads: tiny graphs with random weights.

They have the inputs, outputs and metadata of real models, so that the real library loads and runs
them. Their texts mean nothing, but depend on the audio only.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from tests.support.onnx_writer import FLOAT, INT32, INT64, Shape, graph, node, onnx_file

WORDS = ("▁one", "▁two", "▁three", "▁four", "ty", "▁fi", "ve", ".", "▁six", "▁Seven")
SIZE = 16
STEP = 4
"""Subsampling of the made encoders."""

Ports = Mapping[str, tuple[int, Shape]]


def random(seed: int, *shape: int, scale: float = 1.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, scale, shape).astype(np.float32)


def tokens_text(*tokens: str) -> str:
    return "".join(f"{token} {index}\n" for index, token in enumerate(tokens))


def every(axis: int, step: int = STEP) -> dict[str, np.ndarray]:
    """Return the weights of a node ``Slice`` that keeps one in ``step`` elements."""
    return {
        "starts": np.array([0], np.int64),
        "ends": np.array([1 << 30], np.int64),
        "axes": np.array([axis], np.int64),
        "steps": np.array([step], np.int64),
    }


SLICE = ["starts", "ends", "axes", "steps"]


def _lengths(element: int) -> tuple[list[bytes], dict[str, np.ndarray]]:
    """Nodes that divide ``x_lens`` by the subsampling, rounded up."""
    dtype = np.int64 if element == INT64 else np.int32
    weights = {"three": np.array([STEP - 1], dtype), "four": np.array([STEP], dtype)}
    nodes = [
        node("Add", ["x_lens", "three"], ["padded"]),
        node("Div", ["padded", "four"], ["lens"]),
    ]
    return nodes, weights


def made(folder: Path, files: Mapping[str, bytes | str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def _joiner(size: int, seed: int) -> bytes:
    return onnx_file(
        graph(
            [
                node("Add", ["encoder_out", "decoder_out"], ["sum"]),
                node("Tanh", ["sum"], ["activation"]),
                node("MatMul", ["activation", "w"], ["logit"]),
            ],
            {"encoder_out": (FLOAT, ["N", SIZE]), "decoder_out": (FLOAT, ["N", SIZE])},
            {"logit": (FLOAT, ["N", size])},
            {"w": random(seed, SIZE, size)},
        )
    )


def _decoder(size: int, context: int = 2) -> bytes:
    return onnx_file(
        graph(
            [
                node("Gather", ["embedding", "y"], ["all"], axis=0),
                node("ReduceMean", ["all"], ["decoder_out"], axes=[1], keepdims=0),
            ],
            {"y": (INT64, ["N", context])},
            {"decoder_out": (FLOAT, ["N", SIZE])},
            {"embedding": random(2, size, SIZE)},
        ),
        {"vocab_size": size, "context_size": context},
    )


def _transducer_files(
    encoder: bytes, metadata: Mapping[str, object], tokens: tuple[str, ...]
) -> dict[str, bytes | str]:
    return {
        "encoder.onnx": onnx_file(encoder, metadata),
        "decoder.onnx": _decoder(len(tokens)),
        "joiner.onnx": _joiner(len(tokens), 3),
        "tokens.txt": tokens_text(*tokens),
    }


def transducer(folder: Path, tokens: tuple[str, ...] = ("<blk>", "<unk>", *WORDS)) -> Path:
    """An offline transducer of icefall, such as zipformer."""
    lengths, weights = _lengths(INT64)
    encoder = graph(
        [
            node("Slice", ["x", *SLICE], ["steps_of_x"]),
            node("MatMul", ["steps_of_x", "w"], ["encoder_out"]),
            *lengths,
        ],
        {"x": (FLOAT, ["N", "T", 80]), "x_lens": (INT64, ["N"])},
        {"encoder_out": (FLOAT, ["N", "S", SIZE]), "lens": (INT64, ["N"])},
        {"w": random(1, 80, SIZE, scale=0.05), **every(1), **weights},
    )
    return made(
        folder,
        {
            "encoder-epoch-99-avg-1.onnx": onnx_file(encoder, {"model_type": "zipformer2"}),
            "decoder-epoch-99-avg-1.onnx": _decoder(len(tokens)),
            "joiner-epoch-99-avg-1.onnx": _joiner(len(tokens), 3),
            "tokens.txt": tokens_text(*tokens),
        },
    )


def streaming_transducer(
    folder: Path, tokens: tuple[str, ...] = ("<blk>", "<unk>", *WORDS)
) -> Path:
    """A streaming transducer of icefall with the simplest state: an LSTM's."""
    state: Shape = [1, "N", SIZE]
    encoder = graph(
        [
            node("Slice", ["x", *SLICE], ["steps_of_x"]),
            node("MatMul", ["steps_of_x", "w"], ["encoder_out"]),
            node("Identity", ["h"], ["next_h"]),
            node("Identity", ["c"], ["next_c"]),
        ],
        {"x": (FLOAT, ["N", "T", 80]), "h": (FLOAT, state), "c": (FLOAT, state)},
        {
            "encoder_out": (FLOAT, ["N", "S", SIZE]),
            "next_h": (FLOAT, state),
            "next_c": (FLOAT, state),
        },
        {"w": random(1, 80, SIZE, scale=0.05), **every(1)},
    )
    metadata = {
        "model_type": "lstm",
        "num_encoder_layers": 1,
        "T": 9,
        "decode_chunk_len": 8,
        "rnn_hidden_size": SIZE,
        "d_model": SIZE,
    }
    return made(folder, _transducer_files(encoder, metadata, tokens))


def _nemo_metadata(size: int) -> dict[str, object]:
    return {
        "vocab_size": size - 1,
        "subsampling_factor": STEP,
        "normalize_type": "per_feature",
        "pred_rnn_layers": 1,
        "pred_hidden": SIZE,
        "feat_dim": 80,
        "model_type": "EncDecRNNTBPEModel",
    }


def _nemo_files(
    encoder: bytes, metadata: Mapping[str, object], tokens: tuple[str, ...], durations: int
) -> dict[str, bytes | str]:
    state: Shape = [1, "N", SIZE]
    decoder = graph(
        [
            node("Gather", ["embedding", "targets"], ["all"], axis=0),
            node("Transpose", ["all"], ["outputs"], perm=[0, 2, 1]),
            node("Identity", ["target_length"], ["prednet_lengths"]),
            node("Identity", ["h"], ["next_h"]),
            node("Identity", ["c"], ["next_c"]),
        ],
        {
            "targets": (INT32, ["N", "U"]),
            "target_length": (INT32, ["N"]),
            "h": (FLOAT, state),
            "c": (FLOAT, state),
        },
        {
            "outputs": (FLOAT, ["N", SIZE, "U"]),
            "prednet_lengths": (INT32, ["N"]),
            "next_h": (FLOAT, state),
            "next_c": (FLOAT, state),
        },
        {"embedding": random(2, len(tokens), SIZE)},
    )
    size = len(tokens) + durations
    joiner = graph(
        [
            node("Add", ["encoder_outputs", "decoder_outputs"], ["sum"]),
            node("Tanh", ["sum"], ["activation"]),
            node("Transpose", ["activation"], ["last"], perm=[0, 2, 1]),
            node("MatMul", ["last", "w"], ["product"]),
            node("Unsqueeze", ["product", "axis"], ["outputs"]),
        ],
        {
            "encoder_outputs": (FLOAT, ["N", SIZE, 1]),
            "decoder_outputs": (FLOAT, ["N", SIZE, 1]),
        },
        {"outputs": (FLOAT, ["N", 1, 1, size])},
        {"w": random(3, SIZE, size), "axis": np.array([1], np.int64)},
    )
    return {
        "encoder.onnx": onnx_file(encoder, metadata),
        "decoder.onnx": onnx_file(decoder),
        "joiner.onnx": onnx_file(joiner),
        "tokens.txt": tokens_text(*tokens),
    }


def nemo_transducer(folder: Path, *, durations: int = 5) -> Path:
    """A transducer of NeMo that predicts durations (TDT), such as Parakeet."""
    tokens = ("<unk>", *WORDS, "<blk>")
    lengths, weights = _lengths(INT64)
    encoder = graph(
        [
            node("Slice", ["x", *SLICE], ["steps_of_x"]),
            node("MatMul", ["w", "steps_of_x"], ["outputs"]),
            *lengths,
        ],
        {"x": (FLOAT, ["N", 80, "T"]), "x_lens": (INT64, ["N"])},
        {"outputs": (FLOAT, ["N", SIZE, "S"]), "lens": (INT64, ["N"])},
        {"w": random(1, SIZE, 80, scale=0.05), **every(2), **weights},
    )
    metadata = _nemo_metadata(len(tokens)) | {"url": "https://hf.co/nvidia/parakeet-tdt-0.6b-v3"}
    return made(folder, _nemo_files(encoder, metadata, tokens, durations))


def streaming_zipformer(folder: Path, tokens: tuple[str, ...] = ("<blk>", "<unk>", *WORDS)) -> Path:
    """A streaming zipformer of one layer, such as Kroko."""
    heads, context = 4, 8
    states: Ports = {
        "key": (FLOAT, [context, "N", heads]),
        "attention": (FLOAT, [1, "N", context, 3 * SIZE // 4]),
        "value_1": (FLOAT, [context, "N", heads]),
        "value_2": (FLOAT, [context, "N", heads]),
        "conv_1": (FLOAT, ["N", SIZE, 2]),
        "conv_2": (FLOAT, ["N", SIZE, 2]),
        "embed": (FLOAT, ["N", 128, 3, 19]),
        "processed": (INT64, ["N"]),
    }
    encoder = graph(
        [
            node("Slice", ["x", *SLICE], ["steps_of_x"]),
            node("MatMul", ["steps_of_x", "w"], ["encoder_out"]),
            *(node("Identity", [name], [f"next_{name}"]) for name in states),
        ],
        {"x": (FLOAT, ["N", "T", 80]), **states},
        {
            "encoder_out": (FLOAT, ["N", "S", SIZE]),
            **{f"next_{name}": port for name, port in states.items()},
        },
        {"w": random(1, 80, SIZE, scale=0.05), **every(1)},
    )
    metadata = {
        "model_type": "zipformer2",
        "encoder_dims": SIZE,
        "query_head_dims": 1,
        "value_head_dims": 1,
        "num_heads": heads,
        "num_encoder_layers": 1,
        "cnn_module_kernels": 5,
        "left_context_len": context,
        "T": 13,
        "decode_chunk_len": 8,
    }
    return made(folder, _transducer_files(encoder, metadata, tokens))


def streaming_nemo(folder: Path) -> Path:
    """A streaming transducer of NeMo, such as Nemotron."""
    tokens = ("<unk>", *WORDS, "<blk>")
    states: Ports = {
        "channel": (FLOAT, ["N", 1, 2, SIZE]),
        "time": (FLOAT, ["N", 1, SIZE, 2]),
        "channel_len": (INT64, ["N"]),
    }
    lengths, weights = _lengths(INT64)
    encoder = graph(
        [
            node("Slice", ["x", *SLICE], ["steps_of_x"]),
            node("MatMul", ["w", "steps_of_x"], ["outputs"]),
            *lengths,
            *(node("Identity", [name], [f"next_{name}"]) for name in states),
        ],
        {"x": (FLOAT, ["N", 80, "T"]), "x_lens": (INT64, ["N"]), **states},
        {
            "outputs": (FLOAT, ["N", SIZE, "S"]),
            "lens": (INT64, ["N"]),
            **{f"next_{name}": port for name, port in states.items()},
        },
        {"w": random(1, SIZE, 80, scale=0.05), **every(2), **weights},
    )
    metadata: dict[str, object] = {
        **_nemo_metadata(len(tokens)),
        "normalize_type": "NA",
        "window_size": 16,
        "chunk_shift": 16,
        **{f"cache_last_channel_dim{n}": size for n, size in enumerate((1, 2, SIZE), start=1)},
        **{f"cache_last_time_dim{n}": size for n, size in enumerate((1, SIZE, 2), start=1)},
    }
    return made(folder, _nemo_files(encoder, metadata, tokens, 0))


def nemo_ctc(folder: Path) -> Path:
    """A CTC model of NeMo."""
    tokens = (*WORDS, "<blk>")
    lengths, weights = _lengths(INT64)
    model = graph(
        [
            node("Slice", ["x", *SLICE], ["steps_of_x"]),
            node("Transpose", ["steps_of_x"], ["last"], perm=[0, 2, 1]),
            node("MatMul", ["last", "w"], ["product"]),
            node("LogSoftmax", ["product"], ["logprobs"], axis=2),
            *lengths,
        ],
        {"x": (FLOAT, ["N", 80, "T"]), "x_lens": (INT64, ["N"])},
        {"logprobs": (FLOAT, ["N", "S", len(tokens)])},
        {"w": random(1, 80, len(tokens)), **every(2), **weights},
    )
    metadata = {
        "vocab_size": len(tokens) - 1,
        "subsampling_factor": STEP,
        "normalize_type": "per_feature",
        "model_type": "EncDecCTCModelBPE",
    }
    files: dict[str, bytes | str] = {
        "model.onnx": onnx_file(model, metadata),
        "tokens.txt": tokens_text(*tokens),
    }
    return made(folder, files)


def sense_voice(folder: Path) -> Path:
    """A SenseVoice model: a CTC model whose first four frames are language and events."""
    tokens = ("<blank>", "<|en|>", "<|NEUTRAL|>", "<|Speech|>", "<|withitn|>", *WORDS, "你", "好")
    width = 80 * 7
    model = graph(
        [
            node("MatMul", ["x", "w"], ["text"]),
            node("Shape", ["x_length"], ["count"]),
            node("Concat", ["count", "ones"], ["repeats"], axis=0),
            node("Tile", ["head", "repeats"], ["heads"]),
            node("Concat", ["heads", "text"], ["logits"], axis=1),
        ],
        {
            "x": (FLOAT, ["N", "T", width]),
            "x_length": (INT32, ["N"]),
            "language": (INT32, ["N"]),
            "text_norm": (INT32, ["N"]),
        },
        {"logits": (FLOAT, ["N", "S", len(tokens)])},
        {
            "w": random(5, width, len(tokens)),
            "ones": np.array([1, 1], np.int64),
            "head": np.eye(len(tokens), dtype=np.float32)[None, 1:5] * 100,
        },
    )
    metadata: dict[str, object] = {
        "model_type": "sense_voice_ctc",
        "vocab_size": len(tokens),
        "lfr_window_size": 7,
        "lfr_window_shift": 6,
        "normalize_samples": 0,
        "with_itn": 14,
        "without_itn": 15,
        "neg_mean": ",".join(["-8.5"] * width),
        "inv_stddev": ",".join(["0.15"] * width),
        **{f"lang_{code}": n for n, code in enumerate(("auto", "zh", "en", "ja", "ko", "yue"))},
    }
    files: dict[str, bytes | str] = {
        "model.onnx": onnx_file(model, metadata),
        "tokens.txt": tokens_text(*tokens),
    }
    return made(folder, files)


MAKERS: dict[str, Callable[[Path], Path]] = {
    "zipformer-en": transducer,
    "parakeet-tdt-0.6b-v3": nemo_transducer,
    "nemo-ctc-en": nemo_ctc,
    "sense-voice": sense_voice,
    "streaming-lstm-en": streaming_transducer,
    "streaming-zipformer-en": streaming_zipformer,
    "streaming-nemotron-en": streaming_nemo,
}
"""Made models that find tokens in the audio, by the names of their directories."""
