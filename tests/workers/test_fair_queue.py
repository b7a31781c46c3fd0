"""Turns among clients, counted in seconds of audio."""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from auricle.values.types import ClientId
from auricle.workers.fair_queue import FairQueue

pytestmark = pytest.mark.unit


@dataclass(eq=False)
class Item:
    client: ClientId
    audio_s: float
    group: int = 0


def item(client: str, audio_s: float = 3.0, group: int = 0) -> Item:
    return Item(ClientId(client), audio_s, group)


def anything(_: Item) -> bool:
    return True


def of_group(*groups: int) -> Callable[[Item], bool]:
    return lambda each: each.group in groups


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
    assert first["short"] == pytest.approx(first["long"], abs=10.0)


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
    first, second, other = item("a", 30.0), item("a", 1.0), item("b", 20.0)
    for each in (first, second, other):
        queue.push(each)
    assert queue.take(anything) is first
    queue.push_front(first)
    assert drain(queue) == [first, other, second]


def test_a_client_put_back_without_waiting_jobs_still_precedes_those_with_more() -> None:
    queue = FairQueue[Item]()
    only = item("a", 10.0)
    for each in (only, item("b", 10.0), item("b", 10.0)):
        queue.push(each)
    queue.take(anything)
    queue.take(anything)
    queue.push_front(only)
    assert queue.take(anything) is only


def test_the_lowest_rank_of_whose_turn_it_is_goes_first() -> None:
    queue = FairQueue[Item]()
    for seconds in (3.0, 9.0, 5.0):
        queue.push(item("a", seconds))
        queue.push(item("b", seconds + 1))
    order = [queue.take(anything, lambda each: abs(each.audio_s - 6)) for _ in range(6)]
    assert [got.audio_s for got in order if got] == [5.0, 6.0, 3.0, 4.0, 9.0, 10.0]


def test_a_newcomer_neither_waits_for_the_past_nor_claims_it() -> None:
    queue = FairQueue[Item]()
    for _ in range(30):
        queue.push(item("old", 10.0))
    for _ in range(20):
        queue.take(anything)
    for _ in range(5):
        queue.push(item("new", 10.0))
    assert Counter(got.client for got in drain(queue)[:6]) == {"old": 3, "new": 3}


def test_a_client_that_rejoins_gets_no_more_turns_than_one_that_waits() -> None:
    queue = FairQueue[Item]()
    for _ in range(40):
        queue.push(item("b", 10.0))
        queue.push(item("c", 10.0))
    queue.push(item("a", 10.0))
    served: Counter[str] = Counter()
    for _ in range(30):
        got = queue.take(anything)
        assert got is not None
        served[got.client] += 1
        if got.client == "a":
            queue.push(item("a", 10.0))
    assert served == {"a": 10, "b": 10, "c": 10}


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


LENGTHS = st.lists(st.floats(0.1, 30.0), min_size=10, max_size=25)


@settings(max_examples=25)
@given(LENGTHS, LENGTHS)
def test_a_client_that_waits_is_never_further_behind_than_the_longest_items(
    ours: list[float], theirs: list[float]
) -> None:
    queue = FairQueue[Item]()
    for audio_s in ours:
        queue.push(item("a", audio_s))
    for audio_s in theirs:
        queue.push(item("b", audio_s))
    served = {"a": 0.0, "b": 0.0}
    while len({each.client for each in queue}) == 2:
        got = queue.take(anything)
        assert got is not None
        served[got.client] += got.audio_s
        assert abs(served["a"] - served["b"]) <= max(ours + theirs) + 1e-6


@settings(max_examples=25)
@given(
    groups=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=25, max_size=25),
    size=st.integers(1, 8),
)
def test_a_client_served_in_batches_of_others_waits_in_return(
    groups: list[tuple[int, int]], size: int
) -> None:
    queue = FairQueue[Item]()
    for ours, theirs in groups:
        queue.push(item("a", 1.0 + ours, ours))
        queue.push(item("b", 10.0 + theirs, theirs + 10 * (theirs > 0)))
    served = {"a": 0.0, "b": 0.0}
    while len({each.client for each in queue}) == 2:
        first = queue.take(anything)
        assert first is not None
        other = "b" if first.client == "a" else "a"
        assert served[first.client] <= served[other] + 12.0
        batch, fits = [first], of_group(first.group)
        while len(batch) < size and (more := queue.take(fits)):
            batch.append(more)
        for got in batch:
            served[got.client] += got.audio_s


@settings(max_examples=50)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.sampled_from("abc"), st.floats(0.1, 30)),
            st.sampled_from(["take", "put back"]),
        ),
        max_size=40,
    )
)
def test_a_newcomer_waits_for_one_item_of_each_other_at_most(
    history: list[tuple[str, float] | str],
) -> None:
    queue, taken = FairQueue[Item](), list[Item]()
    for step in history:
        if isinstance(step, tuple):
            queue.push(item(*step))
        elif step == "take" and (got := queue.take(anything)) is not None:
            taken.append(got)
        elif taken:
            queue.push_front(taken.pop())
    new = item("new")
    queue.push(new)
    before = drain(queue)
    before = before[: before.index(new)]
    assert len(before) == len({each.client for each in before})


class Turns(RuleBasedStateMachine):
    """Against lists: what is in there, and in which order."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = FairQueue[Item]()
        self.lines: dict[str, list[Item]] = {client: [] for client in "abc"}
        self.taken: list[Item] = []

    def waiting(self) -> list[Item]:
        return list(chain.from_iterable(self.lines.values()))

    @rule(client=st.sampled_from("abc"), audio_s=st.floats(0.1, 30), group=st.integers(0, 1))
    def push(self, client: str, audio_s: float, group: int) -> None:
        made = item(client, audio_s, group)
        self.queue.push(made)
        self.lines[client].append(made)

    @rule(groups=st.sampled_from([{0}, {1}, {0, 1}]), longest_first=st.booleans())
    def take(self, groups: set[int], longest_first: bool) -> None:
        rank: Callable[[Item], float] | None = (lambda e: -e.audio_s) if longest_first else None
        got = self.queue.take(of_group(*groups), rank)
        if got is None:
            assert not [each for each in self.waiting() if each.group in groups]
            return
        line = self.lines[got.client]
        fitting = [each for each in line if each.group in groups]
        if longest_first:
            fitting.sort(key=lambda each: -each.audio_s)
        assert got is fitting[0]
        line.remove(got)
        self.taken.append(got)

    @precondition(lambda self: self.taken)
    @rule()
    def put_back(self) -> None:
        back = self.taken.pop()
        self.queue.push_front(back)
        self.lines[back.client].insert(0, back)

    @precondition(lambda self: self.waiting())
    @rule(data=st.data(), audio_s=st.floats(0.1, 30))
    def replace(self, data: st.DataObject, audio_s: float) -> None:
        old = data.draw(st.sampled_from(self.waiting()))
        new = item(old.client, audio_s, old.group)
        self.queue.replace(old, new)
        line = self.lines[old.client]
        line[line.index(old)] = new

    @precondition(lambda self: self.waiting())
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        gone = data.draw(st.sampled_from(self.waiting()))
        assert self.queue.remove(gone)
        assert not self.queue.remove(gone)
        self.lines[gone.client].remove(gone)

    @invariant()
    def each_line_is_in_order(self) -> None:
        found = defaultdict(list)
        for each in self.queue:
            found[each.client].append(each)
        assert found == {client: line for client, line in self.lines.items() if line}
        assert len(self.queue) == len(self.waiting())


TestTurns = Turns.TestCase
TestTurns.settings = settings(max_examples=40, stateful_step_count=30)
