"""No secret below a field is seen: not by records, journals, plans, events, errors or digests."""

import hashlib

import msgspec
from sandboxes import Sandbox, build_resource

from provisioning.core.model.errors import ProviderError
from provisioning.core.model.values import as_json
from provisioning.interfaces.schema.plans import FieldDocument
from provisioning.testing.memory import MemoryProvider
from provisioning.testing.worlds import World

VALUE, OTHER, BY_HAND = "hunter2-hunter2", "correct-horse-battery", "guessed-by-hand"
SECRETS = (VALUE, OTHER, BY_HAND)


def build_machine(value=VALUE, **more):
    return build_resource(
        "Machine/a",
        {
            "auth": {"user": "somebody", "password": value},
            "env": {"TOKEN": value},
            "rules": [{"name": "http", "token": value, "port": 80}],
            **more,
        },
    )


NOTE = build_resource(
    "Note/n",
    {
        "input": {
            "one": "{{resources.Machine/a.auth.password}}",
            "two": "at {{resources.Machine/a.env.TOKEN}}",
            "all": "{{resources.Machine/a.rules}}",
            "user": "{{resources.Machine/a.auth.user}}",
        }
    },
)


class Echoing(MemoryProvider):
    """Tells in its errors what it was asked for, as clouds do."""

    def update(self, call):
        raise ProviderError(f"bad request: {call.spec}, {call.attributes}")


def check(box, home, *plans):
    seen = [repr(entry) for entry in box.log.read_history()]
    seen += [repr(box.events), *(path.read_bytes().decode("latin-1") for path in files(home))]
    for plan in plans:
        shown = [[FieldDocument.of(field) for field in change.fields] for change in plan.changes]
        shown += [[FieldDocument.of(field) for field in item.fields] for item in plan.drifted]
        effects = as_json([change.effect for change in plan.changes])
        seen += [repr([shown, plan.blocked]), msgspec.json.encode(effects).decode()]
    for secret in SECRETS:
        for form in (secret, hashlib.sha256(secret.encode()).hexdigest()):
            assert not [text for text in seen if form in text]


def files(home):
    return [path for path in home.rglob("*") if path.is_file()]


def reconcile(box, *resources):
    commit = box.commits.commit(*resources)
    plan = box.look(commit).plan
    return plan, box.reconcile(commit)


def test_nested_secrets_are_seen_nowhere(tmp_path):
    box = Sandbox(tmp_path)
    first, _ = reconcile(box, build_machine(), NOTE)
    second, _ = reconcile(box, build_machine(OTHER), NOTE)
    (live,) = [it for it in box.world.snapshot().values() if it.kind == "Machine"]
    assert live.attributes["auth"]["password"] == OTHER
    auth = {**live.attributes["auth"], "password": BY_HAND}
    box.world.change(live.id, {"auth": auth, "env": {"TOKEN": BY_HAND, "NEW": BY_HAND}})
    third, _ = reconcile(box, build_machine(OTHER), NOTE)
    fourth, report = reconcile(box, build_machine(OTHER), NOTE)
    assert [len(plan.changes) for plan in (first, second, third)] == [2, 2, 1]
    assert fourth.changes == ()
    assert report.run is None
    check(box, tmp_path, first, second, third)
    records = box.read_records()
    assert records["Note/n"].attributes["input"]["user"] == "somebody"
    assert records["Machine/a"].attributes["rules"][0]["port"] == 80


def test_what_a_note_was_given_is_what_the_machine_has(tmp_path):
    """The reference gives the value, though nobody sees it."""
    box = Sandbox(tmp_path)
    text = "{{resources.Machine/a.auth.password}}"
    reconcile(box, build_machine(), build_resource("Slot/s", {"place": "p", "value": text}))
    (slot,) = [it for it in box.world.snapshot().values() if it.kind == "Slot"]
    assert slot.attributes["value"] == VALUE
    check(box, tmp_path)


def test_an_error_of_a_provider_tells_no_nested_secret(tmp_path):
    world = World()
    box = Sandbox(tmp_path, world=world)
    reconcile(box, build_machine())
    box = Sandbox(
        tmp_path, world=world, branch=box.branch, commits=box.commits, provider=Echoing(world)
    )
    plan, report = reconcile(box, build_machine(OTHER))
    assert "bad request" in repr(box.events)
    assert report.run
    check(box, tmp_path, plan)


def test_a_change_beside_an_immutable_field_updates_and_one_of_it_replaces(tmp_path):
    box = Sandbox(tmp_path)
    reconcile(box, build_machine(disk={"size": 1}))
    plan, _ = reconcile(box, build_machine(disk={"size": 1, "speed": 5}))
    assert [str(it.action) for it in plan.changes] == ["update"]
    plan, _ = reconcile(box, build_machine(disk={"size": 2, "speed": 5}))
    (change,) = plan.changes
    assert str(change.action) == "replace"
    assert change.reason.endswith("disk.size cannot be changed in place")
