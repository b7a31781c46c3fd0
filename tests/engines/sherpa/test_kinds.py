"""Kinds of models, and what their graphs must contain."""

from dataclasses import replace

import pytest

from auricle.engines.onnx_file import BadFile, GraphFile
from auricle.engines.sherpa.kinds import (
    CANARY,
    MOONSHINE,
    MOONSHINE_V1,
    NEMO_CTC,
    NEMO_TRANSDUCER,
    SENSE_VOICE,
    STREAMING_NEMO,
    STREAMING_TRANSDUCERS,
    TRANSDUCER,
    WHISPER,
    Kind,
    Part,
    kind_of,
)

pytestmark = pytest.mark.unit


def graph(outputs: int = 1, **metadata: str) -> GraphFile:
    names = tuple(f"o{index}" for index in range(outputs))
    return GraphFile(("i",), names, metadata, is_quantised=False, size_bytes=1)


PLAIN, NEMO = graph(), graph(outputs=4)


@pytest.mark.parametrize(
    ("graphs", "kind"),
    [
        ({"encoder": PLAIN, "decoder": PLAIN, "joiner": PLAIN}, TRANSDUCER),
        ({"encoder": PLAIN, "decoder": NEMO, "joiner": PLAIN}, NEMO_TRANSDUCER),
        ({"encoder": graph(chunk_shift="1"), "decoder": NEMO, "joiner": PLAIN}, STREAMING_NEMO),
        (
            {
                "encoder": graph(decode_chunk_len="8", model_type="zipformer2"),
                "decoder": PLAIN,
                "joiner": PLAIN,
            },
            STREAMING_TRANSDUCERS["zipformer2"],
        ),
        ({"encoder": graph(n_text_layer="4"), "decoder": PLAIN}, WHISPER),
        ({"encoder": graph(model_type="EncDecMultiTaskModel"), "decoder": PLAIN}, CANARY),
        ({"encoder": PLAIN, "merged_decoder": PLAIN}, MOONSHINE),
        (
            dict.fromkeys(("preprocessor", "encode", "uncached_decoder", "cached_decoder"), PLAIN),
            MOONSHINE_V1,
        ),
        ({"model": graph(lfr_window_size="7", lang_auto="0")}, SENSE_VOICE),
        ({"model": graph(model_type="EncDecCTCModelBPE")}, NEMO_CTC),
    ],
)
def test_kinds_are_told_apart(graphs: dict[str, GraphFile], kind: Kind) -> None:
    assert kind_of(graphs) is kind


@pytest.mark.parametrize(
    "graphs",
    [
        {},
        {"encoder": PLAIN},
        {"encoder": PLAIN, "decoder": PLAIN},
        {"model": PLAIN},
        {"model": graph(model_type="EncDecCTCModelBPE", window_size="9")},
        {
            "encoder": graph(decode_chunk_len="8", model_type="ebranchformer"),
            "decoder": PLAIN,
            "joiner": PLAIN,
        },
        {"encoder": graph(left_feature_frames="8"), "decoder": NEMO, "joiner": PLAIN},
    ],
)
def test_other_models_are_of_no_kind(graphs: dict[str, GraphFile]) -> None:
    assert kind_of(graphs) is None


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ({}, "lacks size"),
        ({"size": "", "list": "1", "mean": "1"}, "lacks size"),
        ({"size": "-1"}, "invalid size"),
        ({"size": "0"}, "invalid size"),
        ({"size": "5x"}, "invalid size"),
        ({"size": "5"}, "lacks list"),
        ({"size": "5", "list": "1,,2"}, "invalid list"),
        ({"size": "5", "list": "1,2", "mean": "1,a"}, "invalid mean"),
    ],
)
def test_dimensions_must_be_there(metadata: dict[str, str], reason: str) -> None:
    part = Part(1, 1, ("size",), ("list",), ("mean",))
    with pytest.raises(BadFile, match=reason):
        part.check(replace(PLAIN, metadata=metadata))


def test_valid_dimensions_pass() -> None:
    Part(1, 1, ("size", "lang_auto"), ("list",), ("mean",)).check(
        graph(size="5", lang_auto="0", list="1,22", mean="-1.5,2e-3")
    )


def test_a_graph_with_too_few_inputs_is_another_model_s() -> None:
    with pytest.raises(BadFile, match="1 inputs and 1 outputs instead of 2 and 3"):
        Part(2, 3).check(PLAIN)
