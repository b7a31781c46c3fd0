"""Deepgram's models, whose names mean the default model."""

_FAMILIES = ("nova", "nova-2", "nova-3", "enhanced", "base")
_USES = (
    *("general", "medical", "meeting", "phonecall", "finance", "conversationalai", "voicemail"),
    *("video", "drivethru", "automotive", "atc"),
)
PRODUCTS = frozenset(
    {
        *_FAMILIES,
        *(f"{family}-{use}" for family in _FAMILIES for use in _USES),
        *_USES,  # with `tier`
        *("whisper", "whisper-cloud", "flux-general-en", "flux-general-multi"),
    }
)
