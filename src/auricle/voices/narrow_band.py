"""Whether a voice was embedded from narrow-band speech, such as a telephone's. Pure.

The embeddings of all voices have a large part in common if the audio has no frequencies above
4 kHz: two people are then as alike as one person in two wide-band recordings. The part is the
mean of six voices by telephone, the tuning half of ``bench.voices``, whose ``--narrow-band`` prints
it.
"""

import base64

import numpy as np

from auricle.values.speakers import VoicePrint

NARROW_COSINE = 0.45
"""Voices that are more like the mean are of narrow-band speech. On the tuning half, 95 % of the
tests of 3 s have at least 0.47 by telephone, and none more than 0.40 in the wide band; at 0.4,
wide-band speech in noise had fewer names."""

_MODEL = "6456988d7972069c7d922fc464b737d0dd2a004fd2c61e45be6b1923f48a1514"
_MEAN = np.frombuffer(
    base64.b64decode(
        "eq0IrFQpGyAZqAKhUKqlKKYkKiYlsDoqRaffq2kpZiEoq4st8SmVKF4u/SN2I6suUy1uqlCt9aCMKT0waaqc"
        "og8t4K6SJa0t2bGcrpczIiDmLQkmea76JBkmvilurr8peS24LEgp+yraqmMmXRMcL+Yo46gaKiGrcZ9zIsos"
        "QhvWqseaXq59qtGl65oVLGYsN6jBK5+ueyxanfUjMLAJqYurYjBRrK0g+KzwIqgv2iofrzyo5K+9pQeoxC85"
        "IeonkC1vLF4kgSb/qRqxWqjErJUw8K+cqdQpLaskKFIjY67mLOOvzqfspxAs/irUKuekz605oYicU6gdsYQq"
        "OqjbrAukqyq+qx8xpChNqhyuPqEkquCxfZx1o/4kdKTgJQcxh6eBrZguZCWdoj2pRaywrd4p0qLbqpMciZgi"
        "oZisVaUCLwkvdS43LbUqWC6qrZUqVKzmKGMuRbGgKmymKSfIoNAvSip5FduqlaErFIWwvircJIij56RArJkh"
        "zSoMqjgw"
    ),
    "<f2",
).astype(np.float32)
"""float32, shape [192]; stored with 16 bits."""


def is_narrow(voice: VoicePrint) -> bool:
    """Return whether a voice is of narrow-band speech; ``True`` for models without figures."""
    return voice.model != _MODEL or float(voice.vector @ _MEAN) > NARROW_COSINE
