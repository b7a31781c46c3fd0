"""The part of KubeRay's manifest that is Ray's own: Ray takes it, and builds what it says."""

from typing import Any

import pytest

from tests.support.command import ROOT

pytestmark = [pytest.mark.process, pytest.mark.ray]

MANIFEST = ROOT / "deploy" / "kubernetes" / "recognisers.yaml"


@pytest.fixture(scope="module")
def configuration() -> dict[str, Any]:
    yaml = pytest.importorskip("yaml", reason="Ray brings a parser of YAML")
    manifest = yaml.safe_load(MANIFEST.read_text())
    found: dict[str, Any] = yaml.safe_load(manifest["spec"]["serveConfigV2"])
    return found


def test_serve_takes_the_configuration(configuration: dict[str, Any]) -> None:
    schema = pytest.importorskip("ray.serve.schema", reason="see `make test-cluster`")
    taken = schema.ServeDeploySchema.model_validate(configuration)
    [application] = taken.applications
    assert (application.name, application.route_prefix) == ("auricle", "/")
    assert (taken.http_options.host, taken.http_options.port) == ("0.0.0.0", 8000)


def test_the_application_is_what_its_arguments_say(
    configuration: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    pytest.importorskip("ray", reason="see `make test-cluster`")
    from auricle.cluster.ray import app
    from auricle.cluster.settings import ClusterSettings
    from auricle.config.settings import Settings, fields

    monkeypatch.setenv("AURICLE_MODEL", "scripted")
    [application] = configuration["applications"]
    assert application["import_path"] == "auricle.cluster.ray.app:app"
    assert set(application["args"]) <= {name for name, _ in fields()}
    cluster = Settings.load(application["args"]).section(ClusterSettings)
    assert (cluster.replicas, cluster.max_replicas, cluster.replica_cpus) == (2, 8, 2)
    assert app.app(application["args"]) is not None
