"""Who may start a live session; time is a number."""

import copy
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auricle.server.live.admission.activity import SILENT, SPEAKING
from auricle.server.live.admission.admission import (
    FIRST_WORDS_S,
    MIN_FREE_MB,
    RETURN_S,
    LiveAdmission,
    LiveLoad,
)
from auricle.server.live.admission.capacity import (
    LATE_S,
    MIN_SPEAKERS,
    STEP_S,
    Sample,
    SpeakerCapacity,
)
from auricle.server.live.admission.line import DEFAULT_RETRY_S, GRACE_S, Waiter
from auricle.values.errors import ServerFull
from auricle.values.types import ClientId

pytestmark = pytest.mark.unit

ALICE, BOB = ClientId("alice"), ClientId("bob")
TICK_S = 0.5
LATE = Sample(9.0, pending_s=(LATE_S + 1,) * 9, is_busy=True)
ON_TIME = Sample(0.0)


@dataclass
class Stage:
    """An admission whose sessions speak or are silent."""

    capacity: float = 4
    returning: int = 0
    now: float = 100.0
    is_fixed: bool = False
    speaking: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.learned = SpeakerCapacity(self.capacity, is_fixed=self.is_fixed)
        self.it = LiveAdmission(self.learned, self.returning)

    def join(
        self, place: str, client: ClientId = ALICE, *, is_known: bool = False, speaking: int = 1
    ) -> None:
        """Admit a session, which speaks from then on."""
        self.it.join(place, client, Waiter(place), self.now, is_known=is_known)
        self.speaking[place] = speaking

    def refused(self, place: str, client: ClientId = ALICE) -> ServerFull:
        with pytest.raises(ServerFull) as caught:
            self.join(place, client)
        return caught.value

    def leave(self, place: str) -> None:
        del self.speaking[place]
        self.it.leave(place, self.now)

    def pass_s(self, seconds: float) -> None:
        until = self.now + seconds
        while self.now < until - 0.01:
            self.now += TICK_S
            for place, speaking in self.speaking.items():
                self.it.observe(place, speaking, self.now, is_abandoned=False)

    def fill(self, client: ClientId = ALICE) -> None:
        """Let as many people speak as the machine holds."""
        self.fill_up_to(round(self.capacity), client)

    def fill_up_to(self, speakers: int, client: ClientId = ALICE) -> None:
        for number in range(speakers):
            self.join(f"{client} {number}", client)
            self.pass_s(12)

    def be_late(self) -> None:
        self.learned.observe(LATE, self.now)
        assert self.learned.is_late


def test_as_many_people_may_speak_as_the_machine_holds() -> None:
    stage = Stage(capacity=5)
    stage.fill()
    error = stage.refused("more")
    assert str(error) == "5 people are being transcribed now; this server holds about 5."
    assert (error.code, error.speakers, error.capacity) == ("server_full", 5, 5)
    assert error.retry_after_s == DEFAULT_RETRY_S
    assert error.retryable


def test_one_person_is_named_in_the_singular() -> None:
    stage = Stage(capacity=1, is_fixed=True)
    stage.fill()
    assert str(stage.refused("more")).startswith("1 person is being transcribed now")


def test_silent_sessions_keep_no_speaker_out() -> None:
    stage = Stage(capacity=5)
    for number in range(100):
        stage.join(f"silent {number}", speaking=0)
        stage.pass_s(SILENT.time_s)
    assert stage.it.speakers == 0
    stage.fill()
    stage.refused("more")


def test_a_session_is_silent_once_nothing_was_said_for_some_seconds() -> None:
    stage = Stage()
    stage.join("a", speaking=0)
    assert not stage.it.is_silent("a")  # it may be about to speak
    stage.pass_s(SILENT.time_s)
    assert stage.it.is_silent("a")
    stage.speaking["a"] = 1
    stage.pass_s(12)
    assert not stage.it.is_silent("a")
    assert not stage.it.is_silent("unknown")


def test_a_session_whose_client_is_gone_counts_until_its_audio_is_finished() -> None:
    stage = Stage()
    stage.join("a")
    stage.pass_s(12)
    stage.it.observe("a", 0, stage.now + TICK_S, is_abandoned=True)
    assert stage.it.speakers == 0


def test_a_newcomer_counts_as_silent_while_half_of_the_machine_is_free() -> None:
    stage = Stage(capacity=2)
    stage.join("a")
    stage.pass_s(12)
    stage.join("b")
    assert stage.it.speakers == 1 + SILENT.weight


def test_a_speaker_who_falls_silent_makes_room_and_may_speak_again() -> None:
    stage = Stage(capacity=2)
    stage.fill()
    stage.speaking["alice 0"] = 0
    stage.pass_s(12)
    stage.join("next")
    stage.speaking["alice 0"] = 1
    stage.pass_s(5)
    stage.it.may_speak("alice 0", Waiter("waiter"), stage.now)


def test_who_leaves_makes_room_at_once() -> None:
    stage = Stage(capacity=2)
    stage.fill()
    stage.leave("alice 0")
    stage.it.leave("unknown", stage.now)
    stage.join("next")


def test_a_refusal_because_of_late_finals_says_so() -> None:
    stage = Stage(capacity=8)
    stage.fill_up_to(4)
    stage.be_late()
    error = stage.refused("next")
    assert str(error).startswith("Captions are late now")
    assert error.speakers == 4
    stage.learned.speakers = 4
    assert str(stage.refused("next")).startswith("4 people are being transcribed now")


def test_nobody_is_admitted_while_finals_are_late() -> None:
    stage = Stage(capacity=8)
    stage.fill_up_to(4)
    stage.be_late()
    stage.refused("fifth")
    stage.learned.observe(ON_TIME, stage.now + STEP_S)
    stage.join("fifth")


def test_the_first_four_are_admitted_whatever_was_learned() -> None:
    stage = Stage(capacity=MIN_SPEAKERS)
    for number in range(round(MIN_SPEAKERS)):
        stage.be_late()
        stage.join(f"{number}")
        stage.pass_s(12)
    stage.be_late()
    stage.refused("fifth")


@pytest.mark.parametrize("is_live", [True, False], ids=["alone", "beside uploads"])
def test_none_of_many_that_speak_one_after_another_with_slow_finals_is_refused(
    is_live: bool,
) -> None:
    stage = Stage(capacity=24)
    for number in range(200):
        stage.join(f"{number}")
        for age_s in range(10):
            stage.pass_s(1)
            pending = (float(age_s),)
            slow = Sample(stage.it.speakers, pending, LATE_S + 1, is_busy=True, is_live=is_live)
            stage.learned.observe(slow, stage.now)
        stage.leave(f"{number}")
    assert stage.it.load().capacity == 24


def test_an_overload_refuses_newcomers_and_is_over_a_minute_after_it() -> None:
    stage = Stage(capacity=12)
    stage.fill()
    for _ in range(5):
        stage.be_late()
        stage.refused("newcomer")
        stage.pass_s(STEP_S)
    assert stage.learned.speakers < 9
    for number in range(6):
        stage.leave(f"alice {number}")
    for _ in range(round(60 / STEP_S)):
        stage.pass_s(STEP_S)
        stage.learned.observe(replace(ON_TIME, speakers=stage.it.speakers), stage.now)
    assert stage.learned.speakers > 10
    stage.join("newcomer")


def test_many_that_connect_together_count_before_they_speak() -> None:
    stage = Stage(capacity=8)
    admitted = sum(is_admitted(stage.it, f"{number}", stage.now) for number in range(100))
    assert 8 <= admitted <= 4 / SILENT.weight + 4 / SPEAKING.weight + 1


def test_newcomers_who_begin_to_speak_together_are_refused_above_the_capacity() -> None:
    stage = Stage(capacity=4)
    for number in range(8):
        stage.join(f"{number}")
    for number in range(4):
        stage.it.may_speak(f"{number}", Waiter(f"{number}"), stage.now + 1)
    with pytest.raises(ServerFull, match="holds about 4") as caught:
        stage.it.may_speak("7", Waiter("7"), stage.now + 1)
    assert caught.value.retry_after_s >= 1
    assert stage.it.load().waiting == 1


def test_who_speaks_at_once_needs_a_whole_place_and_keeps_it() -> None:
    it = LiveAdmission(SpeakerCapacity(4))
    for number in range(4):
        it.join(f"{number}", ALICE, Waiter(f"{number}"), 100.0, speaks=True)
    with pytest.raises(ServerFull):
        it.join("more", ALICE, Waiter("more"), 100.0, speaks=True)
    it.capacity.speakers = 1
    for number in range(4):
        it.may_speak(f"{number}", Waiter(f"{number}"), 101.0)


def test_as_many_newcomers_may_speak_as_the_operator_has_set() -> None:
    it = LiveAdmission(SpeakerCapacity(4, is_fixed=True))
    assert it.returning == 0
    for number in range(6):
        it.join(f"{number}", ALICE, Waiter(f"{number}"), 100)
    for number in range(5):  # and one more, as each may be the last to speak
        it.may_speak(f"{number}", Waiter(f"{number}"), 101)
    with pytest.raises(ServerFull):
        it.may_speak("5", Waiter("5"), 101)


def test_each_channel_of_a_newcomer_counts() -> None:
    stage = Stage(capacity=8)
    stage.join("pair", speaking=2)
    stage.pass_s(FIRST_WORDS_S - 1)
    stage.join("next", speaking=0)
    stage.learned.speakers = 1.4
    with pytest.raises(ServerFull):
        stage.it.may_speak("next", Waiter("next"), stage.now)


def test_who_began_to_speak_some_seconds_ago_counts_as_no_newcomer() -> None:
    stage = Stage(capacity=8)
    for number in range(4):
        stage.join(f"{number}")
    stage.pass_s(FIRST_WORDS_S)
    stage.join("next", speaking=0)
    stage.learned.speakers = 4
    stage.it.may_speak("next", Waiter("next"), stage.now)


def test_what_a_session_counts_before_it_speaks_is_not_taken_from_the_part_of_its_key() -> None:
    stage = Stage(capacity=10)
    for number in range(6):
        stage.join(f"{number}", ALICE)
    stage.pass_s(2)
    stage.join("bob", BOB, speaking=0)
    stage.learned.speakers = 3
    stage.it.may_speak("bob", Waiter("bob"), stage.now)


def test_one_newcomer_may_speak_above_the_capacity() -> None:
    stage = Stage(capacity=6)
    for number in range(4):
        stage.join(f"{number}")
    stage.pass_s(12)
    for place in ("fifth", "sixth"):
        stage.join(place, speaking=0)
    stage.learned.speakers = 4  # the machine holds fewer than was expected
    stage.it.may_speak("fifth", Waiter("fifth"), stage.now)
    with pytest.raises(ServerFull):
        stage.it.may_speak("sixth", Waiter("sixth"), stage.now)


def test_the_newcomers_of_one_key_keep_no_other_from_its_first_word() -> None:
    stage = Stage(capacity=10)
    stage.join("bob", BOB)
    for number in range(9):
        stage.join(f"{number}", ALICE)
    for number in range(8):
        stage.it.may_speak(f"{number}", Waiter(f"{number}"), stage.now + 1)
    stage.learned.speakers = 4
    with pytest.raises(ServerFull):
        stage.it.may_speak("8", Waiter("8"), stage.now + 1)
    stage.it.may_speak("bob", Waiter("bob"), stage.now + 1)


def test_a_session_is_asked_only_once_and_only_as_a_newcomer() -> None:
    stage = Stage(capacity=1, is_fixed=True)
    for place in ("asked", "listener", "newcomer"):
        stage.join(place, speaking=0)
    for place in ("first", "second"):
        stage.join(place, is_known=True)
    with pytest.raises(ServerFull):
        stage.it.may_speak("asked", Waiter("waiter"), stage.now)
    stage.it.may_speak("asked", Waiter("waiter"), stage.now)
    stage.it.may_speak("first", Waiter("waiter"), stage.now)
    stage.pass_s(FIRST_WORDS_S)
    stage.it.may_speak("listener", Waiter("waiter"), stage.now)


def test_the_longest_waiting_is_admitted_first() -> None:
    stage = Stage(capacity=2, is_fixed=True)
    stage.fill()
    stage.refused("first")
    stage.pass_s(1)
    stage.refused("second")
    stage.leave("alice 0")
    stage.refused("newcomer")
    stage.refused("second")
    stage.join("first")
    stage.leave("alice 1")
    stage.join("second")
    assert stage.it.load().waiting == 1


def test_who_gave_up_keeps_nobody_out() -> None:
    stage = Stage(capacity=2, is_fixed=True)
    stage.fill()
    stage.refused("first")
    stage.pass_s(1)
    stage.leave("alice 0")
    stage.refused("newcomer")
    stage.pass_s(DEFAULT_RETRY_S + GRACE_S + TICK_S)
    assert stage.it.load().waiting == 2
    stage.it.tick(stage.now)
    assert stage.it.load().waiting == 0
    stage.join("newcomer")


def test_a_key_with_less_than_its_part_is_admitted_though_finals_are_late() -> None:
    stage = Stage(capacity=6)
    stage.fill(ALICE)
    stage.be_late()
    stage.refused("more of alice", ALICE)
    for place in ("bob 1", "bob 2"):
        stage.join(place, BOB)
        stage.pass_s(12)
    stage.refused("bob 3", BOB)  # the estimate fell below 6: less than 3 for each


def test_each_of_two_keys_may_use_half_of_a_full_machine() -> None:
    stage = Stage(capacity=4)
    stage.fill(ALICE)
    for number in range(2):
        stage.join(f"bob {number}", BOB)
        stage.pass_s(12)
    stage.refused("bob 2", BOB)


def test_resumed_sessions_are_always_admitted() -> None:
    stage = Stage(capacity=2)
    stage.fill()
    stage.be_late()
    stage.join("resumed", is_known=True)
    stage.it.join("short of memory", ALICE, Waiter("waiter"), stage.now, is_known=True, free_mb=0)


def test_places_are_kept_for_the_sessions_of_the_last_run() -> None:
    stage = Stage(capacity=4, returning=3)
    stage.join("back 1", is_known=True)
    stage.pass_s(4)
    stage.join("newcomer")
    stage.pass_s(4)
    stage.refused("another")
    stage.join("back 2", is_known=True)
    assert stage.it.returning == 1
    stage.pass_s(RETURN_S)
    stage.join("another")  # one has not come back


def test_places_are_kept_for_some_time_from_the_start_whenever_the_first_newcomer_comes() -> None:
    stage = Stage(capacity=4, returning=9)
    stage.it.start(stage.now)
    stage.pass_s(RETURN_S - TICK_S)
    stage.it.start(stage.now)
    stage.refused("newcomer")
    stage.pass_s(TICK_S)
    stage.join("newcomer")


def test_no_more_sessions_are_waited_for_than_there_were() -> None:
    stage = Stage(capacity=4, returning=1)
    for number in range(3):
        stage.join(f"back {number}", is_known=True)
    stage.pass_s(4)
    stage.join("newcomer")
    stage.refused("another")


def test_without_memory_nobody_is_admitted() -> None:
    stage = Stage()
    with pytest.raises(ServerFull) as caught:
        stage.it.join("p1", ALICE, Waiter("waiter"), stage.now, free_mb=MIN_FREE_MB - 1)
    assert str(caught.value) == "The server has too little free memory for another live session."
    stage.it.join("p1", ALICE, Waiter("waiter"), stage.now, free_mb=MIN_FREE_MB)


def test_the_load_is_reported() -> None:
    stage = Stage(capacity=6)
    assert stage.it.load() == LiveLoad(
        0, 6, is_learned=False, is_fixed=False, is_late=False, waiting=0
    )
    stage.fill()
    stage.refused("more")
    stage.be_late()
    load = stage.it.load()
    assert (load.is_learned, load.is_late, load.waiting) == (True, True, 1)
    assert load.speakers == pytest.approx(6, abs=0.01)
    assert load.capacity < 6


@dataclass
class Waits:
    since: float
    until: float
    """It has its position until then or a little longer, as its retry time is rounded."""


events = st.one_of(
    st.tuples(st.just("join"), st.integers(0, 3)),
    st.tuples(st.just("join"), st.integers(0, 3)),
    st.tuples(st.just("known"), st.integers(0, 3)),
    st.tuples(st.just("leave"), st.integers(0, 30)),
    st.tuples(st.just("speak"), st.integers(0, 30)),
    st.tuples(st.just("hush"), st.integers(0, 30)),
    st.tuples(st.just("pass"), st.integers(1, 20)),
    st.tuples(st.just("measure"), st.sampled_from([0, 0, 5])),
)


@given(
    capacity=st.integers(1, 5),
    keys=st.sampled_from([[ALICE], [ALICE], [ALICE, BOB]]),
    happened=st.lists(events, max_size=60),
)
def test_who_may_join_is_decided_by_what_the_machine_holds_and_who_waits(
    capacity: int, keys: list[ClientId], happened: list[tuple[str, int]]
) -> None:
    stage, waiting, names = Stage(capacity), dict[str, Waits](), 0
    for what, number in happened:
        it, place = stage.it, f"p{names}"
        waiter, client = f"w{number}", keys[number % len(keys)]
        places = list(stage.speaking)
        match what:
            case "join":
                names += 1
                is_free = it.speakers + 1 <= stage.learned.speakers and not stage.learned.is_late
                is_alone = not waiting.keys() - {waiter}
                refusal = tried(it, place, client, waiter, stage.now)
                before = waiting.pop(waiter, None)
                if refusal is None:
                    stage.speaking[place] = int(number > 0)
                else:
                    assert not (is_free and is_alone)
                    assert refusal.retry_after_s >= 1
                    until = stage.now + refusal.retry_after_s + GRACE_S - 0.5
                    waiting[waiter] = Waits(before.since if before else stage.now, until)
            case "known":
                names += 1
                it.join(place, client, Waiter(waiter), stage.now, is_known=True)
                waiting.pop(waiter, None)
                stage.speaking[place] = 1
            case "leave" if places:
                stage.leave(places[number % len(places)])
            case "speak" | "hush" if places:
                stage.speaking[places[number % len(places)]] = int(what == "speak")
            case "pass":
                stage.pass_s(number * TICK_S)
            case "measure":
                pending = (LATE_S + 1,) * number
                stage.learned.observe(Sample(it.speakers, pending, is_busy=True), stage.now)
        waiting = {name: each for name, each in waiting.items() if each.until > stage.now}
        assert 0 <= it.speakers <= len(stage.speaking) + 0.01
        if len(keys) == 1:
            check_order(it, waiting, stage.now)
    for place in list(stage.speaking):
        stage.leave(place)
    assert stage.it.speakers == 0


def check_order(it: LiveAdmission, waiting: dict[str, Waits], now: float) -> None:
    """Check that a client is admitted only if those that have waited longer would be."""
    tries = [*sorted(waiting, key=lambda name: waiting[name].since), "newcomer"]
    would_be = [is_admitted(copy.deepcopy(it), waiter, now) for waiter in tries]
    assert would_be == sorted(would_be, reverse=True)


def is_admitted(it: LiveAdmission, waiter: str, now: float) -> bool:
    return tried(it, f"place of {waiter}", ALICE, waiter, now) is None


def tried(
    it: LiveAdmission, place: str, client: ClientId, waiter: str, now: float
) -> ServerFull | None:
    """Return how a session is refused; ``None`` if it is admitted."""
    try:
        it.join(place, client, Waiter(waiter), now)
    except ServerFull as error:
        return error
    return None
