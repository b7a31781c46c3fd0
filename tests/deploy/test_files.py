"""The files of ``deploy/``: what validators say of them, and whether they agree with the rest."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from auricle import __version__
from auricle.config.section import variable
from auricle.config.settings import fields
from tests.deploy.tools import DEPLOY, accepted, documents, tool
from tests.support.command import ROOT

pytestmark = [pytest.mark.process, pytest.mark.outside]

DOCKERFILE = DEPLOY / "docker" / "Dockerfile"
COMPOSE = sorted((DEPLOY / "compose").glob("*.yaml"))
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
KUBERNETES_VERSIONS = ("1.30.0", "1.37.0")
SETTINGS = {variable(name) for name, _ in fields()}


def all_within(value: object, name: str) -> Iterator[Any]:
    """Yield what stands under a name, anywhere in a document."""
    if isinstance(value, dict):
        for key, part in value.items():
            if key == name:
                yield part
            yield from all_within(part, name)
    elif isinstance(value, list):
        for part in value:
            yield from all_within(part, name)


@pytest.mark.parametrize(
    "path",
    [path for path in DEPLOY.rglob("*") if path.is_file() and path.suffix != ".pyc"],
    ids=lambda path: path.name,
)
def test_each_setting_that_is_named_is_one(path: Path) -> None:
    named = set(re.findall(r"\bAURICLE_[A-Z_]+\b", path.read_text()))
    assert named <= SETTINGS


# Containers.


def stages() -> dict[str, str]:
    """Return the text of each stage of the Dockerfile."""
    parts = re.split(r"^FROM \S+ AS (\S+)$", DOCKERFILE.read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_hadolint_has_no_findings() -> None:
    assert accepted(tool("hadolint"), "--failure-threshold", "style", DOCKERFILE) == ""


def test_what_is_copied_is_there_and_is_sent_to_the_builder() -> None:
    sources = [
        source
        for line in re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE.read_text(), re.MULTILINE)
        for source in line.split()
        if source != "."  # all that is sent
    ]
    assert len(sources) > 5
    lines = (DOCKERFILE.parent / "Dockerfile.dockerignore").read_text().splitlines()
    patterns = [line.removeprefix("!") for line in lines if line.startswith("!")]
    assert all(any(ROOT.glob(pattern)) for pattern in patterns)
    sent = {path.relative_to(ROOT) for pattern in patterns for path in ROOT.glob(pattern)}
    for source in sources:
        assert (ROOT / source).exists(), source
        assert sent & {Path(source), *Path(source).parents}, source


def test_every_base_has_a_tag_and_a_digest_and_no_one_runs_as_root() -> None:
    images = re.findall(r"^ARG \w+_IMAGE=(\S+)$", DOCKERFILE.read_text(), re.MULTILINE)
    assert len(images) == 1
    assert all(
        re.fullmatch(r"[a-z]+:\d+(\.\d+)*-[a-z-]+@sha256:[0-9a-f]{64}", image) for image in images
    )
    users = {
        name: re.findall(r"^USER (\S+)$", text, re.MULTILINE) for name, text in stages().items()
    }
    for name in ("base", "cluster"):
        assert users[name][-1] == "10001:10001"
    assert [*stages()][-1] == "cpu"  # what is built when nothing is asked for


@pytest.mark.parametrize("path", COMPOSE, ids=lambda path: path.name)
def test_compose_files_are_what_the_specification_says(path: Path) -> None:
    said = accepted(tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", path)
    assert "ok" in said


@pytest.mark.parametrize("path", COMPOSE, ids=lambda path: path.name)
def test_compose_files_build_stages_and_mount_files_that_are_there(path: Path) -> None:
    [compose] = documents(path)
    for name, service in compose["services"].items():
        if (build := service.get("build")) is not None:
            assert build["target"] in stages(), name
            assert service["image"].startswith(f"auricle:{__version__}"), name
        if "dockerfile" in (build or {}):
            assert (path.parent / build["context"] / build["dockerfile"]).samefile(DOCKERFILE)
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.endswith(".cfg"):
                assert (path.parent / source).is_file()
            elif not source.startswith("."):
                assert source in compose["volumes"]


# Kubernetes.


@pytest.mark.parametrize("version", KUBERNETES_VERSIONS)
@pytest.mark.parametrize("name", ["gateways.yaml", "namespace.yaml"])
def test_kubernetes_takes_the_manifests(name: str, version: str) -> None:
    path = DEPLOY / "kubernetes" / name
    said = accepted(tool("kubernetes-validate"), "-k", version, "--strict", path)
    assert said.count("passed") == len(documents(path))
    assert "WARN" not in said


@pytest.mark.parametrize("version", KUBERNETES_VERSIONS)
def test_kubernetes_takes_the_pods_of_the_recognisers(version: str, tmp_path: Path) -> None:
    [service] = documents(DEPLOY / "kubernetes" / "recognisers.yaml")
    templates = [*all_within(service, "template")]
    assert len(templates) == 2
    for number, template in enumerate(templates):
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod"}, **template}
        path = tmp_path / f"{number}.yaml"
        path.write_text(str(pod).replace("True", "true").replace("False", "false"))
        said = accepted(tool("kubernetes-validate"), "-k", version, "--strict", path)
        assert "passed" in said


def test_the_recognisers_are_what_kuberay_knows() -> None:
    """Its schema is no package, so these are the names that our manifest may use of it."""
    [service] = documents(DEPLOY / "kubernetes" / "recognisers.yaml")
    assert (service["apiVersion"], service["kind"]) == ("ray.io/v1", "RayService")
    assert set(service["spec"]) == {"serveConfigV2", "rayClusterConfig"}
    cluster = service["spec"]["rayClusterConfig"]
    groups = {"headGroupSpec", "workerGroupSpecs"}
    assert set(cluster) == {"rayVersion", "authOptions", "enableInTreeAutoscaling"} | groups
    assert set(cluster["headGroupSpec"]) == {"rayStartParams", "template"}
    [workers] = cluster["workerGroupSpecs"]
    numbers = {"replicas", "minReplicas", "maxReplicas"}
    assert set(workers) == {"groupName", "rayStartParams", "template"} | numbers
    pinned = (ROOT / "requirements" / "ray.txt").read_text()
    assert f"\nray=={cluster['rayVersion']} " in pinned


def test_kustomize_builds_them_with_the_images_of_this_version() -> None:
    if (kustomize := shutil.which("kustomize")) is None:
        pytest.skip("kustomize is not installed (Debian: apt-get install kustomize)")
    built = accepted(kustomize, "build", DEPLOY / "kubernetes")
    images = re.findall(r"^ +image: (\S+)$", built, re.MULTILINE)
    mine = f"registry.internal/auricle:{__version__}"
    assert sorted(images) == [mine, f"{mine}-cluster", f"{mine}-cluster"]
    resources = [one for path in MANIFESTS for one in documents(path) if "metadata" in one]
    assert len(re.findall(r"^kind: ", built, re.MULTILINE)) == len(resources)
    assert built.count("\n  namespace: auricle\n") == len(resources) - 1  # all but itself


def test_selectors_select_and_ports_have_names() -> None:
    found = {one["kind"]: one for one in documents(DEPLOY / "kubernetes" / "gateways.yaml")}
    labels = found["Deployment"]["spec"]["template"]["metadata"]["labels"]
    selectors = [
        found["Deployment"]["spec"]["selector"]["matchLabels"],
        found["Service"]["spec"]["selector"],
        found["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        *all_within(found["Deployment"]["spec"]["template"], "matchLabels"),
    ]
    assert selectors == [labels] * len(selectors)
    [container] = found["Deployment"]["spec"]["template"]["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    used = {probe["httpGet"]["port"] for probe in container.values() if "httpGet" in probe}
    assert used | {port["targetPort"] for port in found["Service"]["spec"]["ports"]} == set(ports)
    assert ports == {"http": 6007}
    target = found["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) == (
        "Deployment",
        found["Deployment"]["metadata"]["name"],
    )


def test_the_readme_makes_the_secret_that_is_asked_for() -> None:
    readme = (DEPLOY / "kubernetes" / "README.md").read_text()
    asked = {
        (reference["name"], reference["key"])
        for path in MANIFESTS
        for reference in all_within(documents(path), "secretKeyRef")
    }
    [(name, line)] = re.findall(r"create secret generic (\S+)((?:.*\\\n)*.*)", readme)
    made = {(name, key) for key in re.findall(r"--from-literal=([\w-]+)=", line)}
    assert asked == made


# Limits.


def test_threads_and_memory_are_bounded_however_it_is_deployed() -> None:
    unit = (DEPLOY / "systemd/auricle.service").read_text()
    assert re.search(r"^TasksMax=\d+$", unit, re.MULTILINE)
    assert re.search(r"^MemoryMax=\S+$", unit, re.MULTILINE)
    for path in COMPOSE:
        (document,) = documents(path)
        shared = document.get("x-gateway", {})
        for name, service in document["services"].items():
            if path.name not in ("gpu.yaml", "shared-jobs.yaml"):  # they add to other files
                assert {"pids_limit", "mem_limit"} <= {*shared, *service}, name
    for path in MANIFESTS:
        for containers in all_within(documents(path), "containers"):
            assert all("memory" in one["resources"]["limits"] for one in containers)


# systemd.


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    text = (DEPLOY / "systemd" / "auricle.service").read_text()
    assert "ExecStart=/opt/auricle/bin/auricle serve" in text
    unit = tmp_path / "auricle.service"
    unit.write_text(text.replace("/opt/auricle/bin/auricle", "/bin/true"))
    assert accepted("systemd-analyze", "verify", unit) == ""


@pytest.mark.parametrize(("kind", "parent"), [("Cache", "/var/cache"), ("State", "/var/lib")])
def test_the_unit_can_write_its_directories(kind: str, parent: str) -> None:
    lines = (DEPLOY / "systemd" / "auricle.service").read_text().splitlines()
    assert f"{kind}Directory=auricle" in lines
    assert f"Environment=AURICLE_{kind.upper()}_DIR={parent}/auricle" in lines


# Continuous integration elsewhere.


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_are_what_github_accepts(path: Path) -> None:
    said = accepted(tool("check-jsonschema"), "--builtin-schema", "vendor.github-workflows", path)
    assert "ok -- validation done" in said


def test_the_workflow_runs_what_ci_runs_on_both_architectures() -> None:
    [workflow] = documents(ROOT / ".github" / "workflows" / "check.yml")
    everything = workflow["jobs"]["all"]
    [command] = [step["run"] for step in everything["steps"] if "run" in step]
    assert command == ".ci/run ${{ endsWith(matrix.machine, '-arm') && '--no-browser' || '' }}"
    assert everything["strategy"]["matrix"]["machine"] == ["ubuntu-24.04", "ubuntu-24.04-arm"]
