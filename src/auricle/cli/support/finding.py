"""The result of a check of ``auricle doctor``."""

import enum
from dataclasses import dataclass

LIMIT_S = 60.0
"""Default of ``auricle doctor --timeout``: the longest wait for each answer."""


class Level(enum.Enum):
    """Severity of a finding."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of a check; ``advice`` says what to do and is empty if there is no problem."""

    subject: str
    level: Level
    text: str
    advice: str = ""
