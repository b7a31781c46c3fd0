"""One live stream from its source to the screen and the transcript."""

import asyncio
import signal
from dataclasses import dataclass

import anyio

from auricle.cli.live.captions import CaptionScreen
from auricle.cli.live.record import LiveRecord
from auricle.cli.live.source import AudioSource
from auricle.client import Connected, LiveClient
from auricle.system.groups import first_error
from auricle.values.errors import AuricleError
from auricle.values.events import Final, SpeakerRevision
from auricle.values.types import Gap

PROBLEM_POLL_S = 0.5
"""Interval at which a connecting client is polled for problems, in seconds."""
CLOSING_STATUS = "Waiting for the last captions; press Ctrl-C again to exit at once."


@dataclass
class LiveStream:
    """Plays a source to a server and shows its captions.

    Attributes:
        client: The connection to the server.
        source: The audio.
        record: Stores the finals.
        idle: Text that the screen shows while there is no speech.
        interrupts: Number of signals received.
        is_connected: Whether there was a connection.
        problem: The error that ended the stream.
        is_unread: Whether the reader of stdout has closed the pipe.
    """

    client: LiveClient
    source: AudioSource
    record: LiveRecord
    idle: str
    interrupts: int = 0
    is_connected: bool = False
    problem: AuricleError | None = None
    is_unread: bool = False

    _playing: anyio.CancelScope | None = None

    async def run(self) -> None:
        """Play and show captions to the end; an error ends the stream and is kept."""
        try:
            with CaptionScreen(is_written=self.record.has_lines, idle=self.idle) as screen:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._handle_signals, tasks.cancel_scope, screen)
                    tasks.start_soon(self._show_problems, screen)
                    await self._caption(screen)
                    tasks.cancel_scope.cancel()
        except* AuricleError as group:
            error = first_error(group)
            assert isinstance(error, AuricleError)
            self.problem = error
        except* BrokenPipeError:
            self.is_unread = True

    async def _caption(self, screen: CaptionScreen) -> None:
        async with self.client, anyio.create_task_group() as tasks:
            self._playing = anyio.CancelScope()
            tasks.start_soon(self._play, self._playing)
            is_reported = False
            async for event in self.client:
                if isinstance(event, Final | Gap):
                    problem = self.record.add(event)
                    if problem is not None and not is_reported:
                        screen.print_message(str(problem))
                    is_reported = problem is not None
                elif isinstance(event, SpeakerRevision):
                    self.record.revise(event)
                elif isinstance(event, Connected):
                    self.is_connected = True
                screen.show(event)
            tasks.cancel_scope.cancel()

    async def _play(self, until: anyio.CancelScope) -> None:
        """Send all audio; an error of the source is reported after the last final."""
        try:
            with until:
                await self.source.play(self.client)
        except AuricleError as exc:
            self.problem = exc
        self.client.finish()

    async def _show_problems(self, screen: CaptionScreen) -> None:
        """Show why connecting takes long."""
        while True:
            await anyio.sleep(PROBLEM_POLL_S)
            if self._playing is not None:
                return
            if self.client.problem is not None:
                screen.wait(self.client.problem)

    async def _handle_signals(self, everything: anyio.CancelScope, screen: CaptionScreen) -> None:
        """Stop the audio at the first Ctrl-C, and everything at the second or before captions."""
        loop = asyncio.get_running_loop()

        def interrupt() -> None:
            self.interrupts += 1
            if self.interrupts == 1 and self.is_connected and self._playing is not None:
                self._playing.cancel()
                screen.set_status(CLOSING_STATUS)
            else:
                self.interrupts = max(2, self.interrupts)
                everything.cancel()

        # Not add_signal_handler: Windows' event loop has none.
        previous = {
            number: signal.signal(number, lambda *_: loop.call_soon_threadsafe(interrupt))
            for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            await anyio.sleep_forever()
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
