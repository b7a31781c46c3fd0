import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

import auricle.apis.registry as registry
from auricle.apis.native.spec import SPEC as NATIVE
from auricle.apis.registry import GROUP, find_apis
from auricle.server.api_spec import ApiSpec, MountedApi
from auricle.values.errors import SetupError

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
TOY = ApiSpec(name="toy", title="Toy", page="toy.md", mount=lambda server: MountedApi())


def install(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """Pretend that a package provides an API."""
    entry = EntryPoint("toy", value, GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda group: [entry])


def test_each_folder_is_an_api_with_its_name_and_the_core_comes_first() -> None:
    names = [spec.name for spec in find_apis()]
    assert names[:2] == ["native", "openai"]
    assert names[2:] == sorted(set(names) - {"native", "openai"})
    for name in names:
        assert sys.modules.keys() & {f"auricle.apis.{name}.spec", f"auricle.{name}.http_api"}


def test_other_packages_add_apis(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, f"{__name__}:TOY")
    assert find_apis()[-1] is TOY


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("no.such.module:SPEC", "No module named"),
        (f"{__name__}:NO_SUCH_NAME", "NO_SUCH_NAME"),
        (f"{__name__}:GROUP", "it is not an ApiSpec"),
        (f"{__name__}:NATIVE", "there is another API named native"),
    ],
)
def test_an_unusable_api_is_reported(
    monkeypatch: pytest.MonkeyPatch, value: str, problem: str
) -> None:
    assert NATIVE.name == "native"
    install(monkeypatch, value)
    with pytest.raises(SetupError, match=rf"The API 'toy' \({value}\) can't be used: .*{problem}"):
        find_apis()


def test_specs_need_none_of_the_server_s_packages() -> None:
    code = (
        "import sys\n"
        "from auricle.apis.registry import find_apis\n"
        "find_apis()\n"
        "heavy = {'fastapi', 'starlette', 'prometheus_client', 'structlog', 'uvicorn'}\n"
        "print(sorted(heavy & sys.modules.keys()))\n"
    )
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, text=True
    )
    assert output.stdout.strip() == "[]"


def test_each_api_has_a_page_in_the_navigation() -> None:
    navigation = (ROOT / "supply/site/mkdocs.yml").read_text()
    for spec in find_apis():
        assert (ROOT / "docs" / spec.page).is_file(), spec.name
        assert spec.page in navigation, spec.name
