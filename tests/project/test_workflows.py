"""The workflows of GitHub: what they run is pinned, and what builds can't publish."""

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

WORKFLOWS = Path(__file__).parents[2] / ".github" / "workflows"


def jobs(workflow: str) -> dict[str, str]:
    """Return the text of each job of a workflow."""
    _, _, text = (WORKFLOWS / workflow).read_text().partition("\njobs:\n")
    _, *rest = re.split(r"^  ([a-z]+):$", text, flags=re.MULTILINE)
    return dict(zip(rest[::2], rest[1::2], strict=True))


@pytest.mark.parametrize("path", sorted(WORKFLOWS.glob("*.yml")), ids=lambda path: path.name)
def test_every_action_is_pinned_by_a_commit_with_its_version(path: Path) -> None:
    used = re.findall(r"uses: (.+)", path.read_text())
    assert used
    pinned = re.compile(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
    assert [each for each in used if not pinned.fullmatch(each)] == []


def test_what_may_publish_runs_no_code_of_the_repository() -> None:
    release = jobs("release.yml")
    assert set(release) == {"build", "attest", "pypi", "npm", "github"}
    assert "write" not in release["build"].partition("steps:")[0]
    for name in set(release) - {"build"}:
        assert "actions/checkout" not in release[name]
        assert "make " not in release[name]
        assert (
            "needs: build" in release[name]
            or "needs: attest" in release[name]
            or ("needs: [pypi, npm]" in release[name])
        )


def test_no_workflow_needs_a_secret() -> None:
    assert not [path for path in WORKFLOWS.glob("*.yml") if "secrets." in path.read_text()]
