"""Why a voice is not stored."""

from auricle.values.errors import BadRequest


class ConsentMissing(BadRequest):
    """The request does not say that the person has agreed."""

    code = "consent_missing"


class VoiceUnusable(BadRequest):
    """The recording is not one of a person's voice, or has too little or too much of it."""

    code = "voice_unusable"


class VoiceExists(BadRequest):
    """The key has a voice of this name."""

    code = "voice_exists"
    http_status = 409


class TooManyVoices(BadRequest):
    """The key has as many voices as it may have."""

    code = "too_many_voices"
    http_status = 409
