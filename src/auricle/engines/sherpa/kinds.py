"""The kinds of models that the engine runs, and what the files of each must contain.

sherpa-onnx reads a model's dimensions from the metadata of its graphs, and ends the process if one
is missing. The names here are those that its 2.0.1 reads (``sherpa-onnx/csrc/*-model.cc``).
Standard library only: the server uses this module.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from auricle.engines.onnx_file import BadFile, GraphFile

_NUMBER = re.compile(r"\d{1,9}")
_NUMBERS = re.compile(r"\d{1,9}(,\d{1,9})*")
_DECIMALS = re.compile(r"[-+]?[\d.]+(e[-+]?\d+)?(,[-+]?[\d.]+(e[-+]?\d+)?)*", re.IGNORECASE)
_MAY_BE_ZERO = re.compile(r"lang_.*|with.*_itn|normalize_samples|blank_id|sot|eot|pad_length|no_.*")


@dataclass(frozen=True, slots=True)
class Part:
    """What a file of a model must contain.

    Attributes:
        inputs: Minimum number of inputs.
        outputs: Minimum number of outputs.
        numbers: Metadata that are numbers.
        lists: Metadata that are lists of numbers.
        decimals: Metadata that are lists of decimal numbers.
    """

    inputs: int = 1
    outputs: int = 1
    numbers: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()
    decimals: tuple[str, ...] = ()

    def check(self, graph: GraphFile) -> None:
        """Check a graph.

        Raises:
            BadFile: It has too few inputs or outputs, or a dimension is missing or not a number.
        """
        if len(graph.inputs) < self.inputs or len(graph.outputs) < self.outputs:
            raise BadFile(
                f"it has {len(graph.inputs)} inputs and {len(graph.outputs)} outputs instead of "
                f"{self.inputs} and {self.outputs}"
            )
        for names, pattern in (
            (self.numbers, _NUMBER),
            (self.lists, _NUMBERS),
            (self.decimals, _DECIMALS),
        ):
            for name in names:
                value = graph.metadata.get(name, "")
                if not value:
                    raise BadFile(f"its metadata lacks {name}")
                is_zero = pattern is _NUMBER and not value.strip("0")
                if not pattern.fullmatch(value) or (is_zero and not _MAY_BE_ZERO.fullmatch(name)):
                    raise BadFile(f"its metadata has an invalid {name}")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of model.

    Attributes:
        name: Its name in messages.
        parts: What each of its files must contain, by role.
        streams: Whether it recognises unfinished audio.
        has_times: Whether it returns the times of tokens.
        batches: Whether it decodes several jobs in one call.
        reads_hotwords: Whether it can favour words.
        detects_language: Whether it finds the language itself, if it knows several.
        generates: Whether it writes text freely, so that it may repeat a phrase without end.
        has_base64: Whether its token file is in base64.
        max_audio_s: Longest audio that it reads.
    """

    name: str
    parts: Mapping[str, Part] = field(hash=False)
    streams: bool = False
    has_times: bool = False
    batches: bool = False
    reads_hotwords: bool = False
    detects_language: bool = True
    generates: bool = False
    has_base64: bool = False
    max_audio_s: float = 30.0


_NEMO_DECODER = Part(4, 4)
_JOINER = Part(2, 1)
_VOCABULARY = ("vocab_size", "context_size")
_CACHES = tuple(
    f"cache_last_{cache}_dim{number}" for cache in ("channel", "time") for number in (1, 2, 3)
)
_STREAMING = ("T", "decode_chunk_len")

TRANSDUCER = Kind(
    "transducer",
    {"encoder": Part(2, 2), "decoder": Part(numbers=_VOCABULARY), "joiner": _JOINER},
    has_times=True,
    batches=True,
    reads_hotwords=True,
)
NEMO_TRANSDUCER = Kind(
    "NeMo transducer",
    {
        "encoder": Part(
            2, 2, ("vocab_size", "subsampling_factor", "pred_rnn_layers", "pred_hidden")
        ),
        "decoder": _NEMO_DECODER,
        "joiner": _JOINER,
    },
    has_times=True,
    batches=True,
    reads_hotwords=True,
)
NEMO_CTC = Kind(
    "NeMo CTC",
    {"model": Part(2, 1, ("vocab_size", "subsampling_factor"))},
    has_times=True,
    batches=True,
)
SENSE_VOICE = Kind(
    "SenseVoice",
    {
        "model": Part(
            4,
            1,
            (
                *("vocab_size", "lfr_window_size", "lfr_window_shift", "normalize_samples"),
                *("with_itn", "without_itn"),
                *(f"lang_{code}" for code in ("auto", "zh", "en", "ja", "ko", "yue")),
            ),
            decimals=("neg_mean", "inv_stddev"),
        )
    },
    has_times=True,
    batches=True,
)
WHISPER = Kind(
    "Whisper",
    {
        "encoder": Part(
            1,
            2,
            (
                *("n_mels", "n_text_layer", "n_text_ctx", "n_text_state", "n_vocab", "sot", "eot"),
                *("blank_id", "translate", "transcribe", "is_multilingual", "no_timestamps"),
                "no_speech",
            ),
            ("sot_sequence",),
        ),
        "decoder": Part(6, 3),
    },
    generates=True,
    has_base64=True,
    max_audio_s=29.0,  # sherpa-onnx drops what is later than 29.5 s
)
CANARY = Kind(
    "Canary",
    {
        "encoder": Part(2, 3, ("vocab_size", "subsampling_factor", "feat_dim")),
        "decoder": Part(3, 2),
    },
    detects_language=False,
    generates=True,
)
MOONSHINE_V1 = Kind(
    "Moonshine",
    {
        "preprocessor": Part(),
        "encode": Part(2, 1),
        "uncached_decoder": Part(3, 2),
        "cached_decoder": Part(4, 2),
    },
    generates=True,
)
MOONSHINE = Kind(
    "Moonshine",
    {"encoder": Part(), "merged_decoder": Part(7, 5)},
    generates=True,
    has_base64=True,
)
STREAMING_NEMO = Kind(
    "streaming NeMo transducer",
    {
        "encoder": Part(
            5,
            5,
            (
                *("vocab_size", "window_size", "chunk_shift", "subsampling_factor"),
                *("pred_rnn_layers", "pred_hidden"),
                *_CACHES,
            ),
        ),
        "decoder": _NEMO_DECODER,
        "joiner": _JOINER,
    },
    streams=True,
    has_times=True,
    batches=True,
)
_STREAMING_ENCODERS = {
    "zipformer2": Part(
        3,
        3,
        _STREAMING,
        (
            *("encoder_dims", "query_head_dims", "value_head_dims", "num_heads"),
            *("num_encoder_layers", "cnn_module_kernels", "left_context_len"),
        ),
    ),
    "zipformer": Part(
        3,
        3,
        _STREAMING,
        (
            *("encoder_dims", "attention_dims", "num_encoder_layers", "cnn_module_kernels"),
            "left_context_len",
        ),
    ),
    "lstm": Part(3, 3, (*_STREAMING, "num_encoder_layers", "rnn_hidden_size", "d_model")),
    "conformer": Part(
        3,
        3,
        (
            *_STREAMING,
            *("num_encoder_layers", "left_context", "encoder_dim", "pad_length"),
            "cnn_module_kernel",
        ),
    ),
}
STREAMING_TRANSDUCERS = {
    model_type: Kind(
        f"streaming {model_type} transducer",
        {"encoder": encoder, "decoder": Part(numbers=_VOCABULARY), "joiner": _JOINER},
        streams=True,
        has_times=True,
        batches=True,
        reads_hotwords=True,
    )
    for model_type, encoder in _STREAMING_ENCODERS.items()
}


def kind_of(graphs: Mapping[str, GraphFile]) -> Kind | None:
    """Return the kind of a model from its graphs by role; ``None`` if the engine has none."""
    match sorted(graphs):
        case ["cached_decoder", "encode", "preprocessor", "uncached_decoder"]:
            return MOONSHINE_V1
        case ["encoder", "merged_decoder"]:
            return MOONSHINE
        case ["decoder", "encoder", "joiner"]:
            return _transducer(graphs["encoder"], graphs["decoder"])
        case ["decoder", "encoder"]:
            if graphs["encoder"].metadata.get("model_type") == "EncDecMultiTaskModel":
                return CANARY
            return WHISPER if "n_text_layer" in graphs["encoder"].metadata else None
        case ["model"]:
            return _single(graphs["model"].metadata)
        case _:
            return None


def _transducer(encoder: GraphFile, decoder: GraphFile) -> Kind | None:
    """Return the kind by the test of sherpa-onnx: only NeMo's decoders return their state."""
    if len(decoder.outputs) > 1:
        if "streaming_model_type" in decoder.metadata or "left_feature_frames" in encoder.metadata:
            return None
        return STREAMING_NEMO if "chunk_shift" in encoder.metadata else NEMO_TRANSDUCER
    if "decode_chunk_len" in encoder.metadata:
        return STREAMING_TRANSDUCERS.get(encoder.metadata.get("model_type", ""))
    return TRANSDUCER


def _single(metadata: Mapping[str, str]) -> Kind | None:
    if "lfr_window_size" in metadata and "lang_auto" in metadata:
        return SENSE_VOICE
    is_ctc = metadata.get("model_type", "").startswith(("EncDecCTC", "EncDecHybridRNNTCTC"))
    return NEMO_CTC if is_ctc and "window_size" not in metadata else None
