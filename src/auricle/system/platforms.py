"""What a server lacks on systems other than Linux, for which it is made."""

import sys

_LACKING = {
    "darwin": "On macOS, workers have no sandbox and no memory limit; to transcribe files of "
    "others, run the server in Docker or on Linux.",
    "win32": "On Windows, workers have no sandbox and no memory limit, and connections are not "
    "counted; to serve others, run the server in WSL 2 or Docker.",
}


def what_is_lacking(platform: str = sys.platform) -> str | None:
    """Return a sentence about what a server lacks on a system, and what to use instead.

    Args:
        platform: A value of ``sys.platform``.
    """
    return _LACKING.get(platform)
