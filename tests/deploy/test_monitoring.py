"""The alerts and the dashboard, as Prometheus and Grafana take them, on a real server's figures.

The rules for the dashboard are those of Grafana's dashboard linter, which is a program in Go.
"""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from websockets.sync.client import connect

from tests.deploy.prometheus import ask, program, prometheus
from tests.deploy.tools import DEPLOY, accepted, documents, tool
from tests.support.clips import CLIPS
from tests.support.command import LIMIT_S, ROOT, serving, until

pytestmark = [pytest.mark.process, pytest.mark.outside]

ALERTS = DEPLOY / "prometheus" / "alerts.yml"
CONFIG = DEPLOY / "prometheus" / "prometheus.yml"
ALERT_TESTS = ROOT / "tests" / "deploy" / "alerts_test.yml"
DASHBOARD = DEPLOY / "grafana" / "auricle.json"
METRIC = re.compile(r"\b(?:auricle|process)_[a-z_]+|\bup\b")
OF_PROMETHEUS = {"up"}


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return found


def panels() -> list[dict[str, Any]]:
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def expressions() -> list[tuple[str, str]]:
    """Return the title and expression of each target of the dashboard."""
    return [(panel["title"], target["expr"]) for panel in panels() for target in panel["targets"]]


def alerts() -> list[dict[str, Any]]:
    [document] = documents(ALERTS)
    return [rule for group in document["groups"] for rule in group["rules"]]


# Alerts.


def test_promtool_accepts_the_alerts_and_the_configuration() -> None:
    promtool = program("promtool")
    assert "SUCCESS" in accepted(promtool, "check", "rules", "--lint-fatal", ALERTS)
    assert "SUCCESS" in accepted(promtool, "check", "config", CONFIG)


def test_each_alert_fires_on_trouble_and_none_on_a_server_that_is_well() -> None:
    assert "SUCCESS" in accepted(program("promtool"), "test", "rules", ALERT_TESTS)
    tested = ALERT_TESTS.read_text()
    for rule in alerts():
        assert rule["alert"] in tested


def test_each_alert_says_how_bad_it_is_where_and_what_to_do() -> None:
    for rule in alerts():
        assert rule["labels"]["severity"] in {"critical", "warning"}, rule["alert"]
        assert "$labels.instance" in rule["annotations"]["summary"], rule["alert"]
        assert rule["annotations"]["description"], rule["alert"]


# The dashboard.

READ = """
import json, sys
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard
register_default_plugins()
print(JSONEncoder().encode(Dashboard.from_json(json.load(sys.stdin))))
"""


def unknown(ours: Any, read: Any, path: str = "") -> Iterator[str]:
    """Yield where something of ours is that Grafana's schema has no place for."""
    if isinstance(ours, dict) and isinstance(read, dict):
        for key, value in ours.items():
            if key not in read:
                yield f"{path}.{key}"
            else:
                yield from unknown(value, read[key], f"{path}.{key}")
    elif isinstance(ours, list) and isinstance(read, list) and len(ours) == len(read):
        for number, (value, other) in enumerate(zip(ours, read, strict=True)):
            yield from unknown(value, other, f"{path}[{number}]")
    elif ours != read:
        yield f"{path}: {ours!r} was read as {read!r}"


def test_grafanas_schema_knows_all_that_is_in_the_dashboard() -> None:
    done = subprocess.run(
        [tool("python"), "-c", READ], input=DASHBOARD.read_bytes(), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    assert list(unknown(dashboard(), json.loads(done.stdout))) == []


def test_the_dashboard_keeps_the_rules_of_grafanas_linter() -> None:
    board = dashboard()
    assert board["editable"] is False
    variables = {found["name"]: found for found in board["templating"]["list"]}
    assert list(variables) == ["datasource", "job", "instance"]
    assert variables["datasource"]["type"] == "datasource"
    assert variables["datasource"]["query"] == "prometheus"
    for name in ("job", "instance"):
        assert variables[name]["datasource"]["uid"] == "${datasource}"
        assert variables[name]["multi"] is True
        assert variables[name]["allValue"] == ".+"
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))
    for panel in panels():
        assert panel["title"]
        assert panel["description"], panel["title"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["targets"], panel["title"]
    for title, expression in expressions():
        selectors = re.findall(r"(?:auricle|process)_\w+(\{[^}]*\})?", expression)
        assert selectors, title
        for selector in selectors:
            assert 'job=~"$job", instance=~"$instance"' in selector, (title, selector)
        for inner, window in re.findall(r"(\w+)\([a-z_]+\{[^}]*\}\[([^]]+)\]", expression):
            assert (inner, window) in {("rate", "$__rate_interval"), ("increase", "5m")}, title
        for counter in re.findall(r"(\w+\()?(?:auricle|process)_\w+_total\{", expression):
            assert counter in {"rate(", "increase("}, title


def test_panels_neither_overlap_nor_leave_the_grid() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert at["x"] + at["w"] <= 24
        assert not taken & cells, panel["title"]
        taken |= cells


# Both, on a real server's figures, in a real Prometheus.


def configuration(folder: Path, server_url: str, key: str) -> str:
    """Return our configuration for this server, with the operator's key."""
    key_file = folder / "key"
    key_file.write_text(key)
    config = CONFIG.read_text()
    assert "127.0.0.1:6007" in config
    config = config.replace("127.0.0.1:6007", server_url.removeprefix("http://"))
    config = config.replace("- alerts.yml", f"- {ALERTS}")
    config = re.sub(r"# (authorization:|  credentials_file:)", r"\1", config)
    return config.replace("/etc/prometheus/auricle-operator-key", str(key_file))


def use(url: str) -> None:
    """Let a server do a little of everything."""
    sent = {"authorization": "Bearer key-of-anna", "content-type": "audio/wav"}
    clip = CLIPS["short.wav"].path.read_bytes()
    for path in ("/utterance", "/utterance?wait=0", "/utterance?task=sing"):
        httpx2.post(f"{url}{path}", content=clip, headers=sent, timeout=LIMIT_S, trust_env=False)
    address = f"ws{url.removeprefix('http')}/v1/stream?format=pcm16"
    with connect(
        address, additional_headers={"authorization": "Bearer key-of-anna"}, proxy=None
    ) as socket:
        pcm = CLIPS["pair.wav"].pcm.tobytes()
        for at in range(0, len(pcm), 6400):
            socket.send(pcm[at : at + 6400])
        socket.send('{"type": "stop"}')
        for message in socket:
            if json.loads(message)["type"] == "closed":
                break


def test_prometheus_takes_a_real_servers_figures_and_each_expression_finds_some(
    tmp_path: Path,
) -> None:
    program("prometheus")
    keys = {"api_keys": "anna:key-of-anna", "operator_key": "key-of-the-operator"}
    with (
        serving(tmp_path, **keys) as (running, server),
        prometheus(tmp_path, configuration(tmp_path, server, "key-of-the-operator")) as url,
    ):
        use(server)
        shown = httpx2.get(
            f"{server}/metrics",
            headers={"authorization": "Bearer key-of-the-operator"},
            trust_env=False,
        ).text
        names = {re.split(r"[ {]", line)[0] for line in shown.splitlines() if line[0] != "#"}
        used = {name for _, expression in expressions() for name in METRIC.findall(expression)}
        used |= {name for rule in alerts() for name in METRIC.findall(str(rule["expr"]))}
        assert len(used) > 20
        assert used - OF_PROMETHEUS <= names

        check = subprocess.run(
            [program("promtool"), "check", "metrics"], input=shown, capture_output=True, text=True
        )
        assert (check.returncode, check.stderr + check.stdout) == (0, "")

        def scrapes() -> int:
            found = ask(url, "query", query='count_over_time(up{job="auricle"}[5m]) * up')
            return int(found["result"][0]["value"][1]) if found and found["result"] else 0

        until(lambda: scrapes() >= 3, running)
        use(server)  # so that rates are not zero
        before = scrapes()
        until(lambda: scrapes() >= before + 2, running)

        found = ask(url, "rules")
        rules = [rule for group in found["groups"] for rule in group["rules"]]
        assert {rule["name"] for rule in rules} == {rule["alert"] for rule in alerts()}
        until(
            lambda: all(
                rule["health"] == "ok"
                for group in ask(url, "rules")["groups"]
                for rule in group["rules"]
            ),
            running,
        )
        for rule in alerts():
            assert ask(url, "query", query=str(rule["expr"]))["resultType"] == "vector"

        for title, expression in expressions():
            query = expression.replace("$__rate_interval", "1m")
            query = query.replace("$job", ".+").replace("$instance", ".+")
            result = ask(url, "query", query=query)["result"]
            assert result, f"{title} shows nothing: {query}"
