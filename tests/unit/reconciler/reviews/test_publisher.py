"""What is written to the forge, and in which order."""

import subprocess
from types import SimpleNamespace

import pytest

from provisioning.core.model.errors import RemoteUnreachable, Source
from provisioning.core.model.records import Action
from provisioning.core.plan.plan import Plan, PlannedChange, Risk
from provisioning.core.reviews.findings import InfraReview, PullReview
from provisioning.gitstore.branches.review_log import ReviewLog
from provisioning.gitstore.repository.remote import Remote
from provisioning.reconciler.reviews.publisher import Publisher
from provisioning.testing.forges import MemoryHub
from provisioning.testing.suites.forges.hubs import open_pull


@pytest.fixture
def reviews(tmp_path):
    """The reviews of an empty remote."""
    hosted = tmp_path / "shop.git"
    subprocess.run(["git", "init", "--quiet", "--bare", hosted], check=True)
    remote = Remote(str(hosted), tmp_path / "mirror")
    return ReviewLog(remote, "tester <tester@example.org>", lambda: b"key")


@pytest.fixture
def forge(reviews):
    """A forge that notes what was remembered when a status was set."""
    hub = MemoryHub(labels=("provisioning/waiting", "provisioning/destructive"))
    made = hub.build_forge(hub.owner)
    made.remembered = []
    write = made.set_status

    def set_status(commit, status):
        made.remembered.append(reviews.read(1))
        write(commit, status)

    made.set_status = set_status
    open_pull(hub, made)
    return made


def find(forge):
    change = PlannedChange(
        id="File/motd",
        action=Action.CREATE,
        reason="",
        kind="File",
        provider="local",
        risk=Risk.SAFE,
        source=Source("a.yaml", 1),
    )
    plan = Plan(infra="web", commit="c" * 40, changes=(change,))
    return PullReview(pull=forge.read_pull(1), infras=(InfraReview(infra="web", plan=plan),))


def build_publisher(forge, reviews):
    return Publisher(context=SimpleNamespace(forge=forge, reviews=reviews, redact=str))


def test_who_sees_green_can_merge(forge, reviews):
    """What an apply will ask for is remembered before the first status is set."""
    shown = build_publisher(forge, reviews).publish(find(forge), None)
    assert len(forge.remembered) == 2
    assert set(forge.remembered) == {shown}
    assert [each.infra for each in shown.plans] == ["web"]


def test_nothing_is_green_that_could_not_be_remembered(forge, reviews, monkeypatch):
    """Who merges on green would be told that nobody has read it."""

    def push(*_):
        raise RemoteUnreachable("away")

    monkeypatch.setattr(Remote, "push", push)
    with pytest.raises(RemoteUnreachable):
        build_publisher(forge, reviews).publish(find(forge), None)
    assert forge.list_statuses(forge.read_pull(1).head) == {}
