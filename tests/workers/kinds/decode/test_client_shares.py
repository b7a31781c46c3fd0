"""Whose file is decoded next, and how many workers one client holds."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auricle.values.types import ANONYMOUS, ClientId
from auricle.workers.kinds.decode.client_shares import ACTIVE_S, HALF_LIFE_S, ClientShares, may_open

pytestmark = pytest.mark.unit

GREEDY, MODEST, THIRD = ClientId("greedy"), ClientId("modest"), ClientId("third")
LONGEST_S = 15.0


def run(shares: ClientShares, client: ClientId, began_at: float, took_s: float) -> None:
    """Run a step of a client's file on a worker that does nothing else."""
    shares.begin(client, client, began_at)
    assert shares.end(client, began_at + took_s) == took_s


def test_the_client_with_the_least_decoding_time_is_next() -> None:
    shares = ClientShares()
    assert shares.next_client([GREEDY, MODEST], 1, 0.0) == GREEDY
    run(shares, GREEDY, 0.0, 5.0)
    run(shares, MODEST, 5.0, 1.0)
    assert shares.next_client([GREEDY, MODEST], 1, 6.0) == MODEST
    run(shares, MODEST, 6.0, 5.0)
    assert shares.next_client([MODEST, GREEDY], 1, 11.0) == GREEDY
    assert shares.next_client([], 1, 11.0) is None


def test_decoding_time_is_forgotten_by_halves() -> None:
    shares = ClientShares()
    run(shares, GREEDY, 0.0, 8.0)
    assert shares.used_s(GREEDY, 8.0) == 8.0
    assert shares.used_s(GREEDY, 8.0 + 2 * HALF_LIFE_S) == 2.0
    assert shares.used_s(MODEST, 8.0) == 0.0


def test_a_running_step_counts_before_it_ends() -> None:
    shares = ClientShares()
    run(shares, MODEST, 0.0, 2.0)
    shares.begin("one", GREEDY, 2.0)
    assert shares.next_client([MODEST, GREEDY], 1, 3.0) == GREEDY
    assert shares.next_client([MODEST, GREEDY], 1, 9.0) == MODEST


def test_a_worker_that_dies_without_a_step_charges_nobody() -> None:
    assert ClientShares().end("one", 1.0) == 0.0


def test_one_worker_stays_free_for_other_active_clients() -> None:
    shares = ClientShares()
    shares.note_file(MODEST, 0.0)
    shares.note_file(GREEDY, 0.0)
    shares.begin("one", GREEDY, 0.0)
    assert shares.next_client([GREEDY], 2, 0.0) is None
    assert shares.next_client([GREEDY, MODEST], 2, 0.0) == MODEST
    assert shares.next_client([GREEDY], 3, 0.0) == GREEDY
    shares.end("one", 1.0)
    assert shares.next_client([GREEDY], 2, 1.0) == GREEDY
    assert shares.next_client([GREEDY], 1, 1.0) == GREEDY


def test_a_client_has_all_workers_while_no_other_is_active() -> None:
    shares = ClientShares()
    shares.note_file(MODEST, 0.0)
    now = ACTIVE_S + 1.0
    shares.note_file(GREEDY, now)
    shares.begin("one", GREEDY, now)
    assert shares.next_client([GREEDY], 2, now) == GREEDY


@pytest.mark.parametrize(
    ("client", "own", "total", "is_allowed"),
    [
        (GREEDY, 23, 23, True),
        (GREEDY, 24, 24, False),
        (MODEST, 0, 24, True),
        (MODEST, 7, 31, True),
        (MODEST, 8, 32, False),
        (ANONYMOUS, 31, 31, True),
        (ANONYMOUS, 32, 32, False),
    ],
)
def test_one_key_leaves_a_quarter_of_the_open_files_to_others(
    client: ClientId, own: int, total: int, is_allowed: bool
) -> None:
    assert may_open(client, own, total, 32) is is_allowed


@dataclass
class Simulation:
    """Workers and the steps that they run."""

    workers: int
    shares: ClientShares = field(default_factory=ClientShares)
    now: float = 0.0
    until: dict[str, tuple[ClientId, float]] = field(default_factory=dict)
    """Client of each busy worker, and when its step ends."""

    def step(self, waiting: list[ClientId], took_s: float) -> None:
        """Give steps of this length to idle workers."""
        for number in range(self.workers):
            if (worker := str(number)) in self.until:
                continue
            client = self.shares.next_client(waiting, self.workers, self.now)
            if client is not None:
                self.shares.begin(worker, client, self.now)
                self.until[worker] = client, self.now + took_s

    def go_on(self) -> None:
        """Go on to the end of the first step."""
        if self.until:
            worker = min(self.until, key=lambda each: self.until[each][1])
            _, self.now = self.until.pop(worker)
            self.shares.end(worker, self.now)

    def held(self, client: ClientId) -> int:
        return sum(each == client for each, _ in self.until.values())


CLIENTS = st.lists(st.sampled_from([GREEDY, MODEST, THIRD]), max_size=8)
STEPS = st.lists(st.tuples(CLIENTS, st.floats(0.01, LONGEST_S)), min_size=1, max_size=40)


@settings(max_examples=100)
@given(st.integers(2, 5), STEPS)
def test_no_client_ever_holds_all_workers_among_active_ones(
    workers: int, steps: list[tuple[list[ClientId], float]]
) -> None:
    simulation = Simulation(workers)
    for client in (GREEDY, MODEST):
        simulation.shares.note_file(client, 0.0)
    for waiting, took_s in steps:
        simulation.step(waiting, took_s)
        assert all(simulation.held(client) < workers for client in (GREEDY, MODEST, THIRD))
        waits = {client for client in waiting if not simulation.held(client)}
        assert not waits or len(simulation.until) == workers
        simulation.go_on()


def test_a_client_that_got_all_workers_alone_gives_the_first_one_back() -> None:
    simulation = Simulation(2)
    simulation.step([GREEDY], 10.0)
    assert simulation.held(GREEDY) == 2
    simulation.shares.note_file(MODEST, 0.0)
    simulation.go_on()
    simulation.step([GREEDY], 10.0)
    assert simulation.held(GREEDY) == 1
    simulation.step([GREEDY, MODEST], 10.0)
    assert simulation.held(MODEST) == 1


@settings(max_examples=50)
@given(st.lists(st.floats(0.01, LONGEST_S), min_size=20, max_size=60))
def test_two_clients_that_wait_get_the_same_time(steps_s: list[float]) -> None:
    simulation = Simulation(1)
    for took_s in steps_s:
        simulation.step([GREEDY, MODEST], took_s)
        simulation.go_on()
        now = simulation.now
        difference_s = simulation.shares.used_s(GREEDY, now) - simulation.shares.used_s(MODEST, now)
        assert abs(difference_s) <= LONGEST_S


@settings(max_examples=50)
@given(st.lists(st.floats(0.01, LONGEST_S), min_size=1, max_size=40))
def test_a_newcomer_is_next_after_any_past_of_another(steps_s: list[float]) -> None:
    simulation = Simulation(1)
    for took_s in steps_s:
        simulation.step([GREEDY] * 5, took_s)
        simulation.go_on()
    assert simulation.shares.next_client([GREEDY] * 5 + [MODEST], 1, simulation.now) == MODEST
