"""Made models that generate text; see :mod:`tests.support.sherpa_models`."""

from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.support.onnx_writer import FLOAT, INT32, INT64, Shape, graph, node, onnx_file
from tests.support.sherpa_models import SIZE, SLICE, STEP, WORDS, every, made, random, tokens_text

POSITIONS = 448
FEATURES = 80


def _generator(size: int, end: int) -> tuple[list[bytes], dict[str, np.ndarray]]:
    """Nodes for the logits of ``token``, at ``position`` and with the mean ``heard`` of the audio.

    The end becomes more probable with the position, so that each text ends.
    """
    positions = random(11, POSITIONS, size, scale=2.0)
    positions[:, end] = np.linspace(-6, POSITIONS / 2, POSITIONS)
    nodes = [
        node("Gather", ["embedding", "token"], ["by_token"], axis=0),
        node("Gather", ["positions", "position"], ["by_position"], axis=0),
        node("MatMul", ["heard", "w"], ["by_audio"]),
        node("Add", ["by_token", "by_position"], ["by_both"]),
        node("Add", ["by_both", "by_audio"], ["all_logits"]),
    ]
    weights = {
        "embedding": random(12, size, size),
        "positions": positions,
        "w": random(13, SIZE, size),
    }
    return nodes, weights


def whisper(folder: Path) -> Path:
    """A multilingual Whisper without attention."""
    texts = [each.replace("▁", " ") for each in WORDS] + [f" w{n}" for n in range(20)]
    names = ("eot", "sot", "en", "de", "translate", "transcribe", "no_speech", "no_timestamps")
    numbers = {name: len(texts) + n for n, name in enumerate(names)}
    size = len(texts) + len(names) + 1
    state: Shape = [1, "N", 64, SIZE]
    audio: Shape = [1, "N", "S", SIZE]
    encoder = graph(
        [
            node("Slice", ["mel", *SLICE], ["steps_of_mel"]),
            node("Transpose", ["steps_of_mel"], ["last"], perm=[0, 2, 1]),
            node("MatMul", ["last", "w"], ["states"]),
            node("Unsqueeze", ["states", "axis"], ["cross_k"]),
            node("Identity", ["cross_k"], ["cross_v"]),
        ],
        {"mel": (FLOAT, ["N", FEATURES, "T"])},
        {"cross_k": (FLOAT, audio), "cross_v": (FLOAT, audio)},
        {"w": random(1, FEATURES, SIZE), "axis": np.array([0], np.int64), **every(2)},
    )
    nodes, weights = _generator(size, numbers["eot"])
    decoder = graph(
        [
            node("ReduceMean", ["k"], ["heard"], axes=[0, 2], keepdims=0),
            node("Identity", ["tokens"], ["token"]),
            node("Identity", ["offset"], ["position"]),
            *nodes,
            node("Identity", ["all_logits"], ["logits"]),
            node("Identity", ["self_k"], ["next_k"]),
            node("Identity", ["self_v"], ["next_v"]),
        ],
        {
            "tokens": (INT64, ["N", "n"]),
            "self_k": (FLOAT, state),
            "self_v": (FLOAT, state),
            "k": (FLOAT, audio),
            "v": (FLOAT, audio),
            "offset": (INT64, [1]),
        },
        {"logits": (FLOAT, ["N", "n", size]), "next_k": (FLOAT, state), "next_v": (FLOAT, state)},
        weights,
    )
    metadata: dict[str, object] = {
        "model_type": "whisper-made",
        "n_mels": FEATURES,
        "n_text_layer": 1,
        "n_text_ctx": 64,
        "n_text_state": SIZE,
        "n_vocab": size,
        "blank_id": 0,
        "is_multilingual": 1,
        "all_language_tokens": f"{numbers['en']},{numbers['de']}",
        "all_language_codes": "en,de",
        "sot_sequence": ",".join(str(numbers[name]) for name in ("sot", "en", "transcribe")),
        **{name: number for name, number in numbers.items() if name not in ("en", "de")},
    }
    lines = [b64encode(text.encode()).decode() for text in texts]
    files: dict[str, bytes | str] = {
        "made-encoder.onnx": onnx_file(encoder, metadata),
        "made-decoder.onnx": onnx_file(decoder),
        "made-tokens.txt": tokens_text(*lines),
    }
    return made(folder, files)


def canary(folder: Path) -> Path:
    """A Canary for two languages."""
    tokens = (
        *("<unk>", "<|startofcontext|>", "<|startoftranscript|>", "<|emo:undefined|>", "<|en|>"),
        *("<|de|>", "<|pnc|>", "<|nopnc|>", "<|noitn|>", "<|notimestamp|>", "<|nodiarize|>"),
        *("<|endoftext|>", *WORDS),
    )
    state: Shape = [1, "P", SIZE]
    encoder = graph(
        [
            node("Slice", ["x", *SLICE], ["steps_of_x"]),
            node("MatMul", ["steps_of_x", "w"], ["states"]),
            node("Identity", ["x_lens"], ["lens"]),
            node("ReduceMean", ["states"], ["mask"], axes=[2], keepdims=0),
        ],
        {"x": (FLOAT, [1, "T", FEATURES]), "x_lens": (INT64, [1])},
        {
            "states": (FLOAT, [1, "S", SIZE]),
            "lens": (INT64, [1]),
            "mask": (FLOAT, [1, "S"]),
        },
        {"w": random(1, FEATURES, SIZE), **every(1)},
    )
    nodes, weights = _generator(len(tokens), tokens.index("<|endoftext|>"))
    decoder = graph(
        [
            node("Gather", ["decoder_input", "first"], ["token"], axis=1),
            node("Gather", ["decoder_input", "second"], ["position"], axis=1),
            node("ReduceMean", ["states"], ["heard"], axes=[1], keepdims=0),
            *nodes,
            node("Unsqueeze", ["all_logits", "second"], ["logits"]),
            node("Identity", ["past"], ["next"]),
        ],
        {
            "decoder_input": (INT32, [1, 2]),
            "past": (FLOAT, state),
            "states": (FLOAT, [1, "S", SIZE]),
            "mask": (FLOAT, [1, "S"]),
        },
        {"logits": (FLOAT, [1, 1, len(tokens)]), "next": (FLOAT, state)},
        {"first": np.array(0, np.int64), "second": np.array(1, np.int64), **weights},
    )
    metadata = {
        "model_type": "EncDecMultiTaskModel",
        "vocab_size": len(tokens),
        "normalize_type": "per_feature",
        "subsampling_factor": STEP,
        "feat_dim": FEATURES,
        "num_decoder_layers": 1,
        "decoder_hidden_size": SIZE,
    }
    files: dict[str, bytes | str] = {
        "encoder.onnx": onnx_file(encoder, metadata),
        "decoder.onnx": onnx_file(decoder),
        "tokens.txt": tokens_text(*tokens),
    }
    return made(folder, files)


def moonshine(folder: Path) -> Path:
    """A Moonshine of four graphs, as the first releases for sherpa-onnx have."""
    tokens = ("<unk>", "<s>", "</s>", *WORDS, *(f"▁w{n}" for n in range(20)))
    audio: Shape = [1, "S", SIZE]
    preprocessor = graph(
        [
            node("Slice", ["audio", *SLICE], ["steps_of_audio"]),
            node("Unsqueeze", ["steps_of_audio", "axis"], ["column"]),
            node("MatMul", ["column", "w"], ["features"]),
        ],
        {"audio": (FLOAT, [1, "n"])},
        {"features": (FLOAT, audio)},
        {"w": random(1, 1, SIZE, scale=50), "axis": np.array([2], np.int64), **every(1, 384)},
    )
    encoder = graph(
        [node("Tanh", ["features"], ["states"])],
        {"features": (FLOAT, audio), "features_len": (INT32, [1])},
        {"states": (FLOAT, audio)},
        {},
    )
    nodes, weights = _generator(len(tokens), tokens.index("</s>"))

    def decoder(past: list[str]) -> bytes:
        return graph(
            [
                node("Identity", ["tokens"], ["token"]),
                node("Identity", ["seq_len"], ["position"]),
                node("ReduceMean", ["states"], ["heard"], axes=[1], keepdims=0),
                *nodes,
                node("Identity", ["all_logits"], ["logits"]),
                node("Identity", past or ["states"], ["next"]),
            ],
            {
                "tokens": (INT32, [1, 1]),
                "states": (FLOAT, audio),
                "seq_len": (INT32, [1]),
                **dict.fromkeys(past, (FLOAT, audio)),
            },
            {"logits": (FLOAT, [1, 1, len(tokens)]), "next": (FLOAT, audio)},
            weights,
        )

    files: dict[str, bytes | str] = {
        "preprocess.onnx": onnx_file(preprocessor),
        "encode.int8.onnx": onnx_file(encoder),
        "uncached_decode.int8.onnx": onnx_file(decoder([])),
        "cached_decode.int8.onnx": onnx_file(decoder(["past"])),
        "tokens.txt": tokens_text(*tokens),
    }
    return made(folder, files)


GENERATORS: dict[str, Callable[[Path], Path]] = {
    "whisper": whisper,
    "canary": canary,
    "moonshine-tiny-en": moonshine,
}
"""Made models that generate text, by the names of their directories."""
