from pathlib import Path

import numpy as np
import pytest

from auricle.values.errors import SetupError
from auricle.values.types import SAMPLE_RATE_HZ
from auricle.workers.kinds.speakers.embedder import SpeakerEmbedder
from auricle.workers.kinds.speakers.voices.stretches import MIN_STRETCH_SAMPLES
from tests.support.clips import CLIPS
from tests.support.onnx_writer import FLOAT, graph, node, onnx_file

pytestmark = pytest.mark.model

# The float32 model's embedding of the first 1.5 s of fellow.wav, in thousandths.
FELLOW = np.array(
    [
        -56,
        36,
        -24,
        101,
        28,
        -113,
        -66,
        75,
        160,
        70,
        106,
        42,
        -19,
        -83,
        -127,
        75,
        66,
        2,
        24,
        8,
        4,
        77,
        7,
        -128,
        0,
        10,
        -89,
        -27,
        -145,
        -3,
        59,
        2,
        61,
        77,
        13,
        68,
        -58,
        -63,
        71,
        -104,
        -128,
        80,
        9,
        41,
        -87,
        82,
        40,
        8,
        54,
        37,
        54,
        8,
        26,
        -57,
        15,
        66,
        81,
        -15,
        -8,
        62,
        -86,
        188,
        -99,
        84,
        -31,
        -75,
        -3,
        -74,
        -29,
        -14,
        28,
        59,
        5,
        36,
        -25,
        -104,
        30,
        47,
        -80,
        74,
        -77,
        78,
        77,
        82,
        -34,
        -36,
        -14,
        66,
        36,
        58,
        26,
        -42,
        54,
        66,
        -43,
        60,
        -13,
        -61,
        -50,
        68,
        135,
        -16,
        13,
        108,
        1,
        -86,
        -64,
        66,
        -138,
        -7,
        10,
        -24,
        -2,
        81,
        -73,
        -122,
        61,
        54,
        -118,
        -109,
        -41,
        -12,
        144,
        81,
        -23,
        18,
        -104,
        36,
        78,
        -130,
        33,
        20,
        7,
        203,
        140,
        27,
        52,
        44,
        -16,
        54,
        -1,
        65,
        42,
        -141,
        -3,
        47,
        231,
        86,
        -65,
        -18,
        -96,
        68,
        70,
        52,
        -135,
        -95,
        4,
        -5,
        61,
        -34,
        5,
        1,
        -80,
        17,
        37,
        -138,
        -8,
        63,
        -28,
        12,
        -16,
        19,
        8,
        31,
        -30,
        -96,
        94,
        10,
        103,
        16,
        117,
        56,
        -149,
        53,
        108,
        -97,
        55,
        105,
        -35,
        68,
        -33,
        10,
    ]
)
FELLOW_SPAN = (0, 24_000)


@pytest.fixture(scope="module")
def embedder() -> SpeakerEmbedder:
    return SpeakerEmbedder()


def test_the_model_in_8_bits_agrees_with_the_one_in_32(embedder: SpeakerEmbedder) -> None:
    (vector,) = embedder.embed(CLIPS["fellow.wav"].pcm, [FELLOW_SPAN])
    assert vector.shape == (192,)
    assert vector.dtype == np.float32
    assert float(vector @ FELLOW / np.linalg.norm(FELLOW)) > 0.995


def test_a_voice_resembles_itself_more_than_another_voice(embedder: SpeakerEmbedder) -> None:
    pcm = CLIPS["fellow.wav"].pcm
    times = np.arange(0, pcm.size - 1, 1.3)  # a smaller person says the same, faster
    other = np.interp(times, np.arange(pcm.size), pcm).astype(np.int16)
    spans = [(0, 24_000), (24_000, 48_000), (48_000, 72_000)]
    first, second, third = embedder.embed(pcm, spans)
    assert min(first @ second, first @ third, second @ third) > 0.6
    assert max((embedder.embed(other, spans) @ np.stack([first, second, third]).T).flat) < 0.4


def test_an_embedding_does_not_depend_on_other_stretches(embedder: SpeakerEmbedder) -> None:
    pcm = CLIPS["fellow.wav"].pcm
    together = embedder.embed(pcm, [(0, 9000), (8000, 40_000), (0, pcm.size)])
    alone = embedder.embed(pcm[8000:40_000], [(0, 32_000)])
    assert np.array_equal(together[1], alone[0])
    assert np.linalg.norm(together, axis=1) == pytest.approx(1)


def test_silence_has_no_voice(embedder: SpeakerEmbedder) -> None:
    pcm = np.concatenate([np.zeros(24_000, np.int16), CLIPS["short.wav"].pcm])
    silence, speech = embedder.embed(pcm, [(0, 24_000), (24_000, 48_000)])
    assert not silence.any()
    assert np.linalg.norm(speech) == pytest.approx(1)


@pytest.mark.parametrize("pcm", ["noise", "clipped", "shortest"])
def test_any_sound_has_a_finite_embedding(embedder: SpeakerEmbedder, pcm: str) -> None:
    noise = np.random.default_rng(1).integers(-2, 3, SAMPLE_RATE_HZ, np.int16)
    sounds = {
        "noise": noise,
        "clipped": np.where(noise > 0, 32767, -32768).astype(np.int16),
        "shortest": CLIPS["short.wav"].pcm[8000:][:MIN_STRETCH_SAMPLES],
    }
    vectors = embedder.embed(sounds[pcm], [(0, sounds[pcm].size)])
    assert np.isfinite(vectors).all()
    assert np.linalg.norm(vectors) == pytest.approx(1)


@pytest.mark.parametrize(
    "stretch", [(0, MIN_STRETCH_SAMPLES - 1), (-1, 8000), (9000, 16_001), (9000, 1000)]
)
def test_invalid_stretches_are_rejected(
    embedder: SpeakerEmbedder, stretch: tuple[int, int]
) -> None:
    with pytest.raises(ValueError, match="stretch"):
        embedder.embed(np.ones(16_000, np.int16), [stretch])


def test_another_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"no model")
    with pytest.raises(SetupError, match=r"model\.onnx"):
        SpeakerEmbedder(tmp_path / "model.onnx")


def model(folder: Path, *nodes: bytes) -> Path:
    """Return a model that maps x, the features, to e."""
    content = graph(nodes, {"x": (FLOAT, ["b", "t", 80])}, {"e": (FLOAT, ["b", "d"])}, {})
    (folder / "model.onnx").write_bytes(onnx_file(content))
    return folder / "model.onnx"


def test_another_model_may_have_another_size(tmp_path: Path) -> None:
    other = SpeakerEmbedder(model(tmp_path, node("ReduceMax", ["x"], ["e"], axes=[1], keepdims=0)))
    vectors = other.embed(CLIPS["fellow.wav"].pcm, [FELLOW_SPAN])
    assert (other.dimensions, vectors.shape) == (80, (1, 80))
    assert np.linalg.norm(vectors) == pytest.approx(1)


@pytest.mark.parametrize(
    "nodes",
    [
        [
            node("ReduceMin", ["x"], ["low"], axes=[1], keepdims=0),
            node("Sqrt", ["low"], ["e"]),  # of negative numbers
        ],
        [node("Identity", ["x"], ["e"])],  # a vector for each frame
        [node("MatMul", ["x", "x"], ["e"])],  # fails
    ],
    ids=["nan", "frames", "error"],
)
def test_a_model_without_embeddings_is_reported(tmp_path: Path, nodes: list[bytes]) -> None:
    with pytest.raises(SetupError, match=r"model\.onnx"):
        SpeakerEmbedder(model(tmp_path, *nodes))
