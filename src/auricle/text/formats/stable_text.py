"""Send the stable text of partials in parts, for dialects that retract nothing."""

from dataclasses import dataclass

from auricle.values.events import Final, Partial


@dataclass(slots=True)
class StableText:
    """The text of an utterance without a final, and the part of it that was sent."""

    text: str = ""
    sent: str = ""

    def update(self, event: Partial | Final) -> None:
        """Use the text of an event, unless a final contradicts what was sent."""
        if isinstance(event, Partial):
            self.text = event.stable
        elif event.text.startswith(self.sent):
            self.text = event.text

    def next_part(self, glue: str) -> str:
        """Return the text that has become stable since the last part; empty if there is none.

        Args:
            glue: Text before the first part, which separates it from the preceding utterance.
        """
        part = self.text[len(self.sent) :] if self.text.startswith(self.sent) else ""
        if part and not self.sent:
            part = glue + part
        self.sent = self.text if part else self.sent
        return part
