"""What tests of pulls share."""

from dataclasses import dataclass, field

from auricle.engines.pull.download import Downloader, PullProgress


@dataclass
class Notes:
    """A PullProgress that records."""

    started: list[tuple[str, int, int | None]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    total_bytes: int = 0

    def start(self, name: str, done_bytes: int, total_bytes: int | None) -> None:
        self.started.append((name, done_bytes, total_bytes))

    def advance(self, size_bytes: int) -> None:
        self.total_bytes += size_bytes

    def note(self, text: str) -> None:
        self.notes.append(text)


def quick_downloader(
    progress: PullProgress, tokens: dict[str, str] | None = None, read_timeout_s: float = 60.0
) -> Downloader:
    """Return a downloader that does not pause between attempts."""
    return Downloader(progress, tokens=tokens, pause_s=0.0, read_timeout_s=read_timeout_s)
