"""What the tests of the registry share."""

from auricle.server.live.runner import LiveRunner
from auricle.values.commands import StreamParameters
from auricle.values.errors import AuricleError
from auricle.values.events import SessionEvent, Wire
from tests.support.live_sessions import Sessions
from tests.support.service import poll_until
from tests.support.stream import SPEECH, pcm

PLAIN = StreamParameters(format=Wire.PCM16)
"""A session that can't be resumed."""
SECOND = 16_000


class Ear:
    def __init__(self, *, fails: bool = False) -> None:
        self.fails = fails
        self.dismissals: list[AuricleError] = []

    def deliver(self, event: SessionEvent) -> None:
        if self.fails:
            raise RuntimeError

    def dismiss(self, error: AuricleError) -> None:
        self.dismissals.append(error)


def speak(runner: LiveRunner) -> None:
    """Say something, in a session with positions."""
    runner.receive_data(bytes(8) + pcm(SPEECH[:SECOND]))


def resume_of(runner: LiveRunner, secret: str | None = None) -> tuple[str, str]:
    return runner.session.id, runner.session.secret if secret is None else secret


async def looks(fakes: Sessions, count: int) -> None:
    """Wait for this number of checks of the sessions; the last one may still run."""
    wanted = fakes.transcriber.times_asked + count + 1
    await poll_until(lambda: fakes.transcriber.times_asked >= wanted)
