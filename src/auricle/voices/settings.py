"""Settings of known voices."""

from collections.abc import Mapping

from pydantic import Field

from auricle.config.section import Listed, Section, variable

ALL_KEYS = "*"


class VoicesSettings(Section):
    """Which keys may store voices, and for how long a voice can be remembered."""

    title = "Known voices"
    common = ("known_voices",)

    known_voices: Listed[str] = Field(
        (),
        description=f"Names of the keys that may store voices, for /v1/voices; {ALL_KEYS}: all "
        "keys. The voices of other keys are not used.",
    )
    recent_voices_s: float = Field(
        24 * 3600,
        ge=0,
        description="Time for which the voices of a kept transcript's speakers are stored, so that "
        "one can be remembered, in seconds; only those of these keys. 0: none.",
    )

    def may_know(self, client: str) -> bool:
        """Return whether a client may store voices."""
        return client in self.known_voices or ALL_KEYS in self.known_voices

    def problems(self, others: Mapping[str, object]) -> Mapping[str, str]:
        """Return that voices can't be compared, if there is nothing that does."""
        if not self.known_voices or others.get("speaker_workers"):
            return {}
        if "speaker_workers" not in others:
            return {"known_voices": "this installation distinguishes no speakers"}
        return {"known_voices": f"requires {variable('speaker_workers')}"}
