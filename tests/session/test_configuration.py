"""What a client configures reaches the parts of its session."""

import pytest

from auricle.session.configuration import NO_TURNS, Configuration
from auricle.session.output import Prepare
from auricle.values.commands import Configure
from auricle.values.errors import BadRequest, ModelNotFound
from auricle.values.events import Wire
from auricle.values.types import TurnDetection, TurnJob
from tests.session.helpers import MODELS, Parts

pytestmark = pytest.mark.unit


def configuration(parts: Parts, *, judges_turns: bool = True) -> Configuration:
    return Configuration(
        parts.choice,
        MODELS,
        parts.intake,
        parts.channels,
        parts.speakers,
        parts.outbox,
        judges_turns,
    )


def test_a_command_is_checked_before_it_is_applied() -> None:
    parts = Parts(2)
    it = configuration(parts)
    with pytest.raises(ModelNotFound):
        it.check(Configure(model="unknown"))
    with pytest.raises(BadRequest, match="multichannel"):
        it.check(Configure(format=Wire.OGG))
    it.check(Configure(model="other", language="de"))
    assert it.choice.model.name == "scripted"
    assert {each.recognition.options.language for each in parts.channels} == {None}


def test_a_command_is_applied_to_all_channels() -> None:
    parts = Parts(2)
    it = configuration(parts)
    it.apply(Configure(model="other", language="de"), 0.0)
    assert it.choice.model.name == "other"
    assert {each.recognition.options.language for each in parts.channels} == {"de"}


def test_turns_are_judged_or_there_is_one_warning() -> None:
    parts = Parts()
    configuration(parts).request_turns(TurnDetection())
    assert parts.emitted() == [Prepare(TurnJob)]
    cannot = configuration(parts, judges_turns=False)
    for _ in range(2):
        cannot.request_turns(TurnDetection())
        parts.outbox.warn(0)
        parts.outbox.warn(10**9)
    assert parts.emitted() == [NO_TURNS]
