"""Which keys may know voices."""

import pytest

from auricle.voices.settings import VoicesSettings

pytestmark = pytest.mark.unit


def test_keys_opt_in_by_their_names() -> None:
    assert not VoicesSettings().may_know("alice")
    some = VoicesSettings(known_voices=("alice", "ben"))
    assert (some.may_know("ben"), some.may_know("carol")) == (True, False)
    assert VoicesSettings(known_voices=("*",)).may_know("carol")


def test_voices_need_what_compares_them(monkeypatch: pytest.MonkeyPatch) -> None:
    assert VoicesSettings().problems({"speaker_workers": 0}) == {}
    own = VoicesSettings(known_voices=("*",))
    assert own.problems({"speaker_workers": 1}) == {}
    problems = own.problems({"speaker_workers": 0})
    assert problems == {"known_voices": "requires AURICLE_SPEAKER_WORKERS"}
    assert own.problems({}) == {"known_voices": "this installation distinguishes no speakers"}
