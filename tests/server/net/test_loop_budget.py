import pytest

from auricle.server.net.loop_budget import BURST_S, MIN_PAUSE_S, SHARE, TimeShare

pytestmark = pytest.mark.unit


def worked(share: TimeShare, now: float, work_s: float) -> tuple[float, float]:
    """Work, pause as requested, and return the time and the pause."""
    pause_s = share.pause_s(now, now + work_s)
    return now + work_s + pause_s, pause_s


def test_a_live_speaker_never_pauses() -> None:
    share = TimeShare(100.0)
    for packet in range(50 * 600):
        now = 100.0 + packet * 0.02
        assert share.pause_s(now, now + 0.002) == 0


def test_a_burst_is_free_and_what_follows_is_not() -> None:
    share, now, used_s = TimeShare(100.0), 100.0, 0.0
    while True:
        now, pause_s = worked(share, now, 0.001)
        if pause_s:
            break
        used_s += 0.001
    assert BURST_S <= used_s < 2 * BURST_S
    assert pause_s >= MIN_PAUSE_S


@pytest.mark.parametrize("work_s", [0.000_02, 0.001, 0.5])
def test_a_client_that_never_stops_gets_its_share_of_the_time(work_s: float) -> None:
    share, now, used_s = TimeShare(0.0), 0.0, 0.0
    while now < 60:
        now, _ = worked(share, now, work_s)
        used_s += work_s
    assert used_s - BURST_S == pytest.approx(SHARE * now, rel=0.05)


def test_a_rested_client_may_send_a_burst_again() -> None:
    share = TimeShare(0.0)
    assert share.pause_s(0.0, BURST_S) == 0
    assert share.pause_s(BURST_S, BURST_S + 0.5) > 0
    rested_at = 20.0
    assert share.pause_s(rested_at, rested_at + BURST_S) == 0
