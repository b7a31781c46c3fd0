"""Which rules hold; what they are worth for a worker is tried in ``test_confinement``."""

import subprocess
import sys
from pathlib import Path

import pytest

from auricle.workers.sandbox.landlock import Access, version

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(version() < 3, reason="this kernel has no Landlock, or an old one"),
]


def met(folder: Path, access: Access, action: str) -> str:
    """Return what a process meets that has this access to the folder and to nothing else."""
    code = (
        "import ctypes, os, sys\n"
        "from auricle.workers.sandbox.landlock import Access, restrict_files\n"
        "ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)\n"
        f"rules = [({str(folder)!r}, Access({int(access)})), ('/not/there', Access.ALL)]\n"
        "restrict_files(rules)\n"
        f"os.chdir('/')\nfolder = {str(folder)!r}\n"
        f"try:\n    {action}\nexcept OSError as exc:\n    print(type(exc).__name__)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("access", "action", "expected"),
    [
        (Access.READ, "open(folder + '/a').read()", ""),
        (Access.READ, "os.listdir(folder)", ""),
        (Access.READ, "open(folder + '/a', 'r+')", "PermissionError"),
        (Access.READ, "os.truncate(folder + '/a', 0)", "PermissionError"),
        (Access.READ, "os.remove(folder + '/a')", "PermissionError"),
        (Access.READ, "os.mkdir(folder + '/b')", "PermissionError"),
        (Access.READ_FILE, "open(folder + '/a').read()", ""),
        (Access.READ_FILE, "os.listdir(folder)", "PermissionError"),
        (Access.ALL, "open(folder + '/a', 'w').write('x')", ""),
        (Access.ALL, "os.rename(folder + '/a', folder + '/b')", ""),
        (Access.ALL, "os.mkdir(folder + '/b')", ""),
        (Access.ALL, "open('/etc/hostname')", "PermissionError"),
    ],
)
def test_a_folder_grants_what_its_rule_says(
    tmp_path: Path, access: Access, action: str, expected: str
) -> None:
    (tmp_path / "a").write_text("words")
    assert met(tmp_path, access, action) == expected


def test_a_rule_may_be_for_one_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("words")
    (tmp_path / "b").write_text("words")
    file = tmp_path / "a"
    assert met(file, Access.READ, "open(folder).read()") == ""
    assert met(file, Access.READ, f"open({str(tmp_path / 'b')!r})") == "PermissionError"
