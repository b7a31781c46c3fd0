"""What the tests of live share."""

import numpy as np

from auricle.values.commands import StreamParameters
from auricle.values.events import WarningCode, Wire
from auricle.values.types import OpusPacket
from tests.support.clips import CLIPS
from tests.support.opus import encode_packets
from tests.support.session import Rig, silence

SECOND = 16_000
PAIR, FELLOW, SHORT = (CLIPS[name].pcm for name in ("pair.wav", "fellow.wav", "short.wav"))
PAIR_AND_SILENCE = np.concatenate([PAIR, silence(1)])
PAIR_PACKETS = encode_packets(PAIR_AND_SILENCE)
DAMAGED = OpusPacket(b"\x03")


def pcm_rig(*, seq: bool = False, **changes: object) -> Rig:
    """Return a rig for PCM16 with changed parameters."""
    values = {"format": Wire.PCM16, "seq": seq, "language": "en"} | changes
    return Rig(parameters=StreamParameters(**values))  # type: ignore[arg-type]  # fields by name


def codes(rig: Rig) -> list[WarningCode]:
    return [warned.code for warned in rig.warnings]
