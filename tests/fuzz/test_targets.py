"""Each target's seeds and once-broken inputs, and some mutations of them, without the fuzzer."""

from importlib.util import find_spec
from random import Random

import pytest

from fuzz.target import TARGETS, inputs, is_inside, load, modules_of

MUTATIONS = 150
COSTLY = {"opening": 30}  # most of its inputs use up their limit of processor time
TIMED = ("opening",)  # measures processor time itself


def with_a_byte_changed(data: bytes, rng: Random) -> bytes:
    changed = bytearray(data)
    if changed:
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.wall_clock) if name in TIMED else name
        for name in TARGETS
    ],
)
def test_a_target_takes_what_is_known(name: str) -> None:
    target = load(name)
    known = inputs(name, target)
    assert known
    for data in known:
        target.run(data)


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_a_target_takes_what_is_near_it(name: str) -> None:
    target, rng = load(name), Random(name)
    known = inputs(name, target)
    for _ in range(COSTLY.get(name, MUTATIONS)):
        data = rng.choice(known)
        if target.mutate is not None:
            data = target.mutate(data, rng, lambda record: with_a_byte_changed(record, rng))
        target.run(with_a_byte_changed(data, rng)[: target.max_bytes])


@pytest.mark.unit
def test_only_the_modules_of_a_target_are_instrumented() -> None:
    names = modules_of("webm")
    assert is_inside("auricle.audio.demux.webm", names)
    assert is_inside("auricle.session.live", modules_of("session"))
    for other in ("auricle", "auricle.audio", "auricle.audio.demux.webm2", "fuzz.mutation"):
        assert not is_inside(other, names), other


@pytest.mark.unit
@pytest.mark.parametrize("name", TARGETS)
def test_a_target_states_modules_that_exist(name: str) -> None:
    assert modules_of(name)
    assert all(find_spec(module) for module in modules_of(name))
