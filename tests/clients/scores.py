"""Each client's text against what was said, in one table."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.lib.scoring import Errors, word_errors
from tests.support.clips import Clip


@dataclass
class Scores:
    """Texts of all clients; figures next to them are shown unchanged.

    Attributes:
        rows: The cells of the table.
    """

    rows: list[Sequence[str]] = field(default_factory=list)

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
        counts = (str(found.reference), str(found.total), f"{found.percent:.1f}")
        self.rows.append((client, way, clip.path.name, *counts, figures))
        return found

    def table(self) -> list[str]:
        """Return the lines to be printed; none if nothing was noted."""
        if not self.rows:
            return []
        head = ("client", "way", "clip", "words", "wrong", "WER %", "")
        rows = sorted(self.rows, key=lambda row: tuple(row[:3]))
        widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
        return [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in (head, *rows)
        ]
