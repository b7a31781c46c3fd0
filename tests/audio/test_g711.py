from collections.abc import Callable

import numpy as np
import pytest

from auricle.audio.g711 import alaw_to_pcm16, mulaw_to_pcm16

pytestmark = pytest.mark.unit

# Codes and values of G.711 as the tests of the audioop that Python once had gave them.
MU_CODES = bytes.fromhex("000e283f576a767c7e7f")
MU_VALUES = [-8031, -4447, -1471, -495, -163, -53, -18, -6, -2, 0]
A_CODES = bytes.fromhex("0003242a515455586b717f")
A_VALUES = [-688, -720, -2240, -4032, -9, -3, -1, -27, -244, -82, -106]


def test_mu_law_has_the_standard_s_values() -> None:
    assert _values(mulaw_to_pcm16(MU_CODES)) == [value * 4 for value in MU_VALUES]


def test_a_law_has_the_standard_s_values() -> None:
    assert _values(alaw_to_pcm16(A_CODES)) == [value * 8 for value in A_VALUES]


@pytest.mark.parametrize("expand", [mulaw_to_pcm16, alaw_to_pcm16])
def test_the_top_bit_is_the_sign(expand: Callable[[bytes], bytes]) -> None:
    negative = np.array(_values(expand(bytes(range(128)))))
    positive = np.array(_values(expand(bytes(range(128, 256)))))
    assert (negative == -positive).all()
    assert (negative <= 0).all()
    assert expand(b"") == b""


def _values(pcm: bytes) -> list[int]:
    return [int(value) for value in np.frombuffer(pcm, "<i2")]
