"""The files of `examples/observability/` ask for what there is, and alert when they should."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from provisioning.interfaces.service.metric_table import MEASURES, MetricType
from provisioning.interfaces.service.metrics import Metrics

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples/observability"
OF_THE_PROCESS = {
    "process_cpu_seconds_total",
    "process_open_fds",
    "process_resident_memory_bytes",
}
FILLED_IN = {"$__rate_interval": "5m", "$instance": ".*", "$workspace": ".*"}
"""What stands for Grafana's variables."""


def read_alerts():
    (group,) = yaml.safe_load((FOLDER / "alerts.yaml").read_text("utf-8"))["groups"]
    return group["rules"]


def list_queries():
    dashboard = json.loads((FOLDER / "dashboard.json").read_text("utf-8"))
    return [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]


def list_series():
    for each in MEASURES:
        parts = ("_bucket", "_sum", "_count") if each.form is MetricType.HISTOGRAM else ("",)
        yield from (each.shown + part for part in parts)


def check(promtool, *words, given=""):
    done = subprocess.run(
        [promtool, *words], input=given, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("file", ["alerts.yaml", "dashboard.json", "prometheus.yml"])
def test_every_metric_that_is_asked_for_exists(file):
    """A renamed metric would leave a panel empty, and an alert silent."""
    text = (FOLDER / file).read_text("utf-8")
    named = set(re.findall(r"\b(?:provisioning|process)_\w+", text)) - {"process_"}
    assert named <= {*list_series(), *OF_THE_PROCESS}


def test_every_panel_has_its_own_place():
    """None lies on another, and each has a title and a query."""
    panels = json.loads((FOLDER / "dashboard.json").read_text("utf-8"))["panels"]
    taken = set()
    for each in panels:
        place = each["gridPos"]
        cells = {
            (place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])
        }
        assert not cells & taken, each["title"]
        assert each["targets"], each["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
    assert len({each["id"] for each in panels}) == len(panels)


@pytest.mark.parametrize("alert", [each["alert"] for each in read_alerts()])
def test_every_alert_is_explained_and_tried(alert):
    """The guide says what to do, and one scenario is quiet, another not."""
    guide = (ROOT / "docs/how-to/run-as-a-service.md").read_text("utf-8")
    assert f"| `{alert}` |" in guide
    tries = Path(__file__).with_name("alerts_test.yaml").read_text("utf-8")
    assert tries.count(f"alertname: {alert}") == 2


@pytest.mark.peer("promtool")
def test_prometheus_takes_configuration_and_rules(peer):
    """As Prometheus itself judges, warnings included."""
    check(
        peer("promtool"), "check", "config", "--lint=all", "--lint-fatal", FOLDER / "prometheus.yml"
    )


@pytest.mark.peer("promtool")
def test_prometheus_takes_what_is_told(peer):
    """Names, units and texts as its own people would have them."""
    told = Metrics().render()[0].decode()
    check(peer("promtool"), "check", "metrics", "--lint=all", given=told)


@pytest.mark.peer("promtool")
def test_alerts_come_when_they_should(peer, tmp_path):
    """Each is told in a broken world, and none in a good one."""
    shutil.copy(FOLDER / "alerts.yaml", tmp_path)
    shutil.copy(Path(__file__).with_name("alerts_test.yaml"), tmp_path)
    check(peer("promtool"), "test", "rules", tmp_path / "alerts_test.yaml")


@pytest.mark.peer("promtool")
def test_prometheus_takes_every_query_of_the_dashboard(peer, tmp_path):
    """With something in the place of Grafana's variables."""
    rules = []
    for number, query in enumerate(list_queries()):
        filled = re.sub(r"\$\w+", lambda found: FILLED_IN[found[0]], query)
        rules.append({"record": f"query:{number}", "expr": filled})
    file = tmp_path / "queries.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    check(peer("promtool"), "check", "rules", file)
