import json
import xml.etree.ElementTree as ET

import pytest

SVG = "{http://www.w3.org/2000/svg}"
WEB = """\
apiVersion: provisioning/v1
kind: Directory
metadata: {name: etc}
spec: {path: etc}
---
apiVersion: provisioning/v1
kind: File
metadata: {name: motd}
spec: {path: "{{resources.Directory/etc.path}}/motd", content: hi}
---
apiVersion: provisioning/v1
kind: Value
metadata: {name: sum}
spec: {input: "{{resources.File/motd.sha256}} {{resources.Directory/etc.path}}"}
"""
APP = """\
apiVersion: provisioning/v1
kind: Value
metadata: {name: far}
spec: {input: "{{infra.web.File/motd.sha256}}"}
"""


@pytest.fixture
def drawn(shop):
    shop.commit(WEB)
    shop.run("apply", "--yes")
    shop.write(APP, "infra/app/app.yaml")
    shop.commit(WEB.replace("name: sum", "name: total"))
    return shop


def test_a_tree_shows_what_each_needs_and_how_it_is(drawn):
    """A subtree is told once, another infra's resource under its infra's name."""
    assert drawn.run("tree").splitlines() == [
        "app",
        "└── Value/far  pending",
        "    └── web File/motd  ready",
        "        └── web Directory/etc  ready",
        "web",
        "├── Value/sum  leaving",
        "│   ├── File/motd  ready  (above)",
        "│   └── Directory/etc  ready",
        "└── Value/total  pending",
        "    ├── File/motd  ready  (above)",
        "    └── Directory/etc  ready",
    ]
    assert drawn.run("tree", "app").splitlines() == [
        "app",
        "└── Value/far  pending",
        "    └── web File/motd  ready",
    ]


def test_a_graph_as_lines_has_what_is_needed_first(drawn):
    """Without a picture the order and the words tell the same."""
    assert drawn.run("graph", "web").splitlines() == [
        "web  Directory/etc  ready",
        "web  File/motd  ready  needs Directory/etc",
        "web  Value/sum  leaving  needs File/motd, Directory/etc",
        "web  Value/total  pending  needs File/motd, Directory/etc",
    ]


def test_a_graph_as_svg_stands_alone(drawn):
    """Boxes coloured by condition, an edge for each need, no script and no link."""
    text = drawn.run("graph", "-o", "svg")
    root = ET.fromstring(text)
    boxes = {each.get("data-node"): each for each in root.iter(f"{SVG}g")}
    assert sorted(boxes) == [
        "app.Value/far",
        "web.Directory/etc",
        "web.File/motd",
        "web.Value/sum",
        "web.Value/total",
    ]
    fills = {name: each.find(f"{SVG}rect").get("fill") for name, each in boxes.items()}
    assert fills["web.File/motd"] == fills["web.Directory/etc"] != fills["web.Value/sum"]
    assert len(set(fills.values())) == 3
    for each in boxes.values():
        box, label = each.find(f"{SVG}rect"), each.find(f"{SVG}text")
        room = float(box.get("width")) - (float(label.get("x")) - float(box.get("x")))
        assert len(label.text) * 6.7 <= room
    edges = {each.get("data-edge") for each in root.iter(f"{SVG}path")} - {None}
    assert "web.File/motd app.Value/far" in edges
    assert len(edges) == 6
    assert "script" not in text
    assert text.count("http") == 1


def test_a_graph_as_dot_and_json(drawn):
    """Graphviz's language quotes every name; JSON lists what each needs."""
    dot = drawn.run("graph", "app", "-o", "dot")
    assert '"web.File/motd" -> "app.Value/far";' in dot
    assert dot.count("{") == dot.count("}")
    nodes = json.loads(drawn.run("graph", "-o", "json"))
    assert nodes[0] == {
        "infra": "app",
        "id": "Value/far",
        "condition": "pending",
        "message": "",
        "needs": [{"infra": "web", "id": "File/motd"}],
    }
    assert json.loads(drawn.run("tree", "-o", "json")) == nodes


def test_a_need_that_nobody_defines_is_shown(drawn):
    """A slip in a reference is seen in the picture."""
    drawn.commit(APP.replace("web.File", "wep.File"), "infra/app/app.yaml")
    assert "wep File/motd  pending: of infra wep" in drawn.run("tree", "app")
