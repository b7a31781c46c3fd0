from collections import defaultdict
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auricle.types import ClientId
from auricle.workers.fair_queue import QUANTUM_S, FairQueue

pytestmark = pytest.mark.unit


@dataclass(eq=False)
class Item:
    client: ClientId
    audio_s: float


def item(client: str, audio_s: float = 3.0) -> Item:
    return Item(ClientId(client), audio_s)


def anything(_: Item) -> bool:
    return True


def drain(queue: FairQueue[Item]) -> list[Item]:
    taken = []
    while (got := queue.take(anything)) is not None:
        taken.append(got)
    return taken


def test_one_client_is_served_in_order() -> None:
    queue = FairQueue[Item]()
    items = [item("a", n) for n in (3.0, 30.0, 0.1, 7.0)]
    for each in items:
        queue.push(each)
    assert drain(queue) == items


def test_clients_take_turns_in_audio_not_in_jobs() -> None:
    queue = FairQueue[Item]()
    for _ in range(40):
        queue.push(item("long", 10.0))
        queue.push(item("short", 1.0))
    first: defaultdict[str, float] = defaultdict(float)
    for got in drain(queue)[:22]:
        first[got.client] += got.audio_s
    assert first["short"] == pytest.approx(first["long"], abs=2 * QUANTUM_S)


def test_what_does_not_fit_lets_others_pass_and_keeps_its_place() -> None:
    queue = FairQueue[Item]()
    held, other = item("a"), item("a")
    queue.push(held)
    queue.push(other)
    assert queue.take(lambda each: each is not held) is other
    assert queue.take(lambda each: each is not held) is None
    assert queue.take(anything) is held


def test_put_back_comes_first_and_costs_nothing_twice() -> None:
    queue = FairQueue[Item]()
    first, second = item("a", 30.0), item("a")
    queue.push(first)
    queue.push(second)
    assert queue.take(anything) is first
    queue.push_front(first)
    assert queue.take(anything) is first


def test_a_replacement_takes_the_place() -> None:
    queue = FairQueue[Item]()
    old, behind, new = item("a"), item("a"), item("a")
    queue.push(old)
    queue.push(behind)
    queue.replace(old, new)
    assert drain(queue) == [new, behind]


def test_removal_says_whether_it_was_there() -> None:
    queue = FairQueue[Item]()
    there = item("a")
    queue.push(there)
    assert not queue.remove(item("a"))
    assert not queue.remove(item("b"))
    assert queue.remove(there)
    assert len(queue) == 0


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0.02, 30.0)), min_size=1, max_size=60))
def test_everything_comes_out_once_and_each_client_in_order(
    pushed: list[tuple[str, float]],
) -> None:
    queue = FairQueue[Item]()
    items = [item(client, audio_s) for client, audio_s in pushed]
    for each in items:
        queue.push(each)
    taken = drain(queue)
    assert sorted(map(id, taken)) == sorted(map(id, items))
    for client in "abc":
        assert [i for i in taken if i.client == client] == [i for i in items if i.client == client]


@given(st.lists(st.floats(0.1, 30.0), min_size=20, max_size=40))
def test_backlogged_clients_stay_within_a_job_and_a_quantum(lengths: list[float]) -> None:
    queue = FairQueue[Item]()
    for client in ("a", "b"):
        for audio_s in lengths:
            queue.push(item(client, audio_s))
    served: defaultdict[str, float] = defaultdict(float)
    for _ in range(len(lengths)):
        got = queue.take(anything)
        assert got is not None
        served[got.client] += got.audio_s
        assert abs(served["a"] - served["b"]) <= 2 * (max(lengths) + QUANTUM_S)
