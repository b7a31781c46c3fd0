"""Each client's text against what was said, in one table."""

from dataclasses import dataclass, field

from bench.lib.scoring import Errors, word_errors
from tests.support.clips import Clip


@dataclass
class Scores:
    """Texts of all clients; figures next to them are shown unchanged."""

    _rows: list[tuple[str, str, str, Errors, str]] = field(default_factory=list)

    def add(self, client: str, way: str, clip: Clip, heard: str, figures: str = "") -> Errors:
        """Hold a text against its clip's, note it for the table, and return the word errors.

        Args:
            client: Name and version, as ``openai-python 3.57.0``.
            way: What it was asked for, as ``verbose_json``.
            clip: What was said.
            heard: What came back.
            figures: Other figures of this row, such as delays.
        """
        found = word_errors(clip.text, heard)
        self._rows.append((client, way, clip.path.name, found, figures))
        return found

    def table(self) -> list[str]:
        """Return the lines to be printed; none if nothing was noted."""
        if not self._rows:
            return []
        head = ("client", "way", "clip", "words", "wrong", "WER %", "")
        rows = [
            (client, way, clip, str(e.reference), str(e.total), f"{e.percent:.1f}", figures)
            for client, way, clip, e, figures in sorted(self._rows, key=lambda row: row[:3])
        ]
        widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
        return [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in (head, *rows)
        ]
