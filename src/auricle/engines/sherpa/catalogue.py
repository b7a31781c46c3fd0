"""Models in ONNX for ``auricle models pull``: archives of sherpa-onnx's releases.

The SHA-256 are those that unrelated public projects pin; each was found in at least three of them,
some with the release's ``checksum.txt`` as their source (2026-11-27).
"""

from auricle.engines.catalogue import ArchiveFiles, CatalogueModel, PinnedFile
from auricle.engines.sherpa.languages import PARAKEET_V3_LANGUAGES, SENSE_VOICE_LANGUAGES

ENGINE = "sherpa"
RELEASE = "https://github.com/k2-fsa/sherpa-onnx/releases/download/asr-models"
TRANSDUCER = ("encoder.int8.onnx", "decoder.int8.onnx", "joiner.int8.onnx", "tokens.txt")
CTC = ("model.int8.onnx", "tokens.txt")
CC_BY = "CC-BY-4.0"
ENGLISH = frozenset({"en"})


def _archive(folder: str, size_bytes: int, sha256: str, names: tuple[str, ...]) -> ArchiveFiles:
    name = f"{folder}.tar.bz2"
    return ArchiveFiles(f"{RELEASE}/{name}", PinnedFile(name, size_bytes, sha256), folder, names)


def _nvidia(
    name: str, page: str, source: ArchiveFiles, languages: frozenset[str], licence: str = CC_BY
) -> CatalogueModel:
    url = f"https://huggingface.co/nvidia/{page}"
    return CatalogueModel(
        name, ENGINE, name, source, licence, url, languages, f"name NVIDIA and {page}"
    )


CATALOGUE = (
    _nvidia(
        "parakeet-tdt-0.6b-v3",
        "parakeet-tdt-0.6b-v3",
        _archive(
            "sherpa-onnx-nemo-parakeet-tdt-0.6b-v3-int8",
            487_170_055,
            "5793d0fd397c5778d2cf2126994d58e9d56b1be7c04d13c7a15bb1b4eafb16bf",
            TRANSDUCER,
        ),
        PARAKEET_V3_LANGUAGES,
    ),
    _nvidia(
        "parakeet-tdt-0.6b-v2",
        "parakeet-tdt-0.6b-v2",
        _archive(
            "sherpa-onnx-nemo-parakeet-tdt-0.6b-v2-int8",
            482_468_385,
            "157c157bc51155e03e37d2466522a3a737dd9c72bb25f36eb18912964161e1ad",
            TRANSDUCER,
        ),
        ENGLISH,
    ),
    _nvidia(
        "parakeet-ctc-110m-en",
        "parakeet-tdt_ctc-110m",
        _archive(
            "sherpa-onnx-nemo-parakeet_tdt_ctc_110m-en-36000-int8",
            104_337_827,
            "17f945007b52ccd8b7200ffc7c5652e9e8e961dfdf479cefcabd06cf5703630b",
            CTC,
        ),
        ENGLISH,
    ),
    _nvidia(
        "canary-180m-flash",
        "canary-180m-flash",
        _archive(
            "sherpa-onnx-nemo-canary-180m-flash-en-es-de-fr-int8",
            153_692_328,
            "7a38ed8b13f014ad632b09ff8d22e0c6f1359dd046af9235d281dfae841b9ab9",
            ("encoder.int8.onnx", "decoder.int8.onnx", "tokens.txt"),
        ),
        frozenset({"en", "es", "de", "fr"}),
    ),
    CatalogueModel(
        "sense-voice",
        ENGINE,
        "sense-voice",
        _archive(
            "sherpa-onnx-sense-voice-zh-en-ja-ko-yue-int8-2024-07-17",
            163_002_883,
            "7d1efa2138a65b0b488df37f8b89e3d91a60676e416f515b952358d83dfd347e",
            CTC,
        ),
        "FunASR Model License 1.1",
        "https://github.com/modelscope/FunASR/blob/main/MODEL_LICENSE",
        SENSE_VOICE_LANGUAGES,
        "name FunAudioLLM and SenseVoiceSmall",
    ),
    _nvidia(
        "nemotron-streaming-en-0.6b",
        "nemotron-speech-streaming-en-0.6b",
        _archive(
            "sherpa-onnx-nemotron-speech-streaming-en-0.6b-560ms-int8-2026-04-25",
            463_945_051,
            "78e2b79fcf7271553a74402a76b771b09ea40117a39566a79f52235b23db6358",
            TRANSDUCER,
        ),
        ENGLISH,
        "NVIDIA Open Model License",
    ),
    CatalogueModel(
        "zipformer-streaming-en",
        ENGINE,
        "zipformer-streaming-en",
        _archive(
            "sherpa-onnx-streaming-zipformer-en-2023-06-26",
            310_414_022,
            "639e25b578e9e997131402199419c13a941f8e4e198e2da1ce57dbf5cf401282",
            (
                "encoder-epoch-99-avg-1-chunk-16-left-128.int8.onnx",
                "decoder-epoch-99-avg-1-chunk-16-left-128.onnx",
                "joiner-epoch-99-avg-1-chunk-16-left-128.int8.onnx",
                "tokens.txt",
            ),
        ),
        "Apache-2.0",
        "https://github.com/k2-fsa/icefall/blob/master/LICENSE",
        ENGLISH,
    ),
    CatalogueModel(
        "kroko-en",
        ENGINE,
        "kroko-en",
        _archive(
            "sherpa-onnx-streaming-zipformer-en-kroko-2025-08-06",
            57_267_600,
            "c8676e5ff9ac2a85296e53ee0fd4d5fb1db6770e7a7647166eeafe349ade6834",
            ("encoder.onnx", "decoder.onnx", "joiner.onnx", "tokens.txt"),
        ),
        "CC-BY-SA-4.0",
        "https://huggingface.co/Banafo/Kroko-ASR",
        ENGLISH,
        "name Banafo and Kroko-ASR",
    ),
)
