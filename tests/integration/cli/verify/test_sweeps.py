import json

import pytest

NETWORK = """\
apiVersion: provisioning/v1
kind: Value
metadata: {name: lan}
spec: {input: 10.0.0.0/8}
"""
APP = """\
apiVersion: provisioning/v1
kind: File
metadata: {name: conf}
spec: {path: app.conf, content: "{{infra.network.Value/lan.output}}"}
"""


@pytest.fixture
def fleet(shop):
    shop.write(NETWORK, "infra/network/lan.yaml")
    shop.commit(APP, "infra/app/conf.yaml")
    return shop


def test_one_sweep_builds_what_refers_to_what_is_not_there_yet(fleet):
    """The alphabet would begin with the one that needs the other."""
    told = fleet.run("reconcile", "--all", "-o", "json")
    shapes, _ = json.JSONDecoder().raw_decode(told)
    assert [(each["infra"], each["result"]) for each in shapes] == [
        ("app", "applied"),
        ("network", "applied"),
        ("web", "applied"),
    ]
    assert fleet.live()["app.conf"] == "10.0.0.0/8"
    fleet.commit(NETWORK.replace("10.0.0.0/8", "10.1.0.0/16"), "infra/network/lan.yaml")
    fleet.run("reconcile")
    assert fleet.live()["app.conf"] == "10.1.0.0/16"
    fleet.commit(NETWORK.replace("10.0.0.0/8", "10.2.0.0/16"), "infra/network/lan.yaml")
    fleet.run("apply", "--yes")
    assert fleet.live()["app.conf"] == "10.2.0.0/16"


def test_trouble_upstream_keeps_only_those_waiting_that_refer_to_it(fleet):
    """The error is told once, with its place; what is beside it goes on."""
    fleet.commit("kind: Nonsense\napiVersion: provisioning/v1\n", "infra/network/bad.yaml")
    told = fleet.run("reconcile", expected=1)
    assert "infra/network/bad.yaml:1" in told
    assert "app: left alone, because network did not succeed" in told
    assert "Run 1 done: 3 created" in told
    assert set(fleet.live()) == {"etc/motd"}


def test_infras_that_refer_to_each_other_are_refused(fleet):
    """Before anything is done, as a path."""
    fleet.commit(
        NETWORK.replace("10.0.0.0/8", '"{{infra.app.File/conf.path}}"'), "infra/network/lan.yaml"
    )
    for command in (["reconcile"], ["apply", "--yes"], ["plan"]):
        told = fleet.run(*command, expected=1)
        assert "infras refer to each other: app -> network -> app" in told
        assert "infra/network/lan.yaml:4" in told
    assert fleet.live() == {}


MOVED = """\
apiVersion: provisioning/v1
kind: File
metadata: {name: conf}
moved: {from: File/conf, infra: app}
spec: {path: app.conf, content: "{{infra.app.Value/v.output}}"}
"""
VALUE = """\
apiVersion: provisioning/v1
kind: Value
metadata: {name: v}
spec: {input: one}
"""


@pytest.mark.parametrize("infra", ["aaa", "zzz"])
@pytest.mark.parametrize("content", ["one", "{{infra.app.Value/v.output}}"])
def test_sweeps_move_a_resource_to_another_infra(shop, infra, content):
    """Whoever's turn it is first, also where the taker refers to the giver."""
    shop.write(VALUE, "infra/app/v.yaml")
    shop.commit(APP.replace("{{infra.network.Value/lan.output}}", "one"), "infra/app/conf.yaml")
    shop.run("reconcile")
    shop.git("rm", "--quiet", "infra/app/conf.yaml")
    shop.commit(MOVED.replace("{{infra.app.Value/v.output}}", content), f"infra/{infra}/conf.yaml")
    shop.run("reconcile")
    shop.run("reconcile")
    assert shop.live()["app.conf"] == "one"
    assert "File/conf" in shop.run("get", infra)
    assert "File/conf" not in shop.run("get", "app")
    assert "Nothing to do" in shop.run("reconcile")
    assert "linear, fenced, complete" in shop.run("fsck", "app")
