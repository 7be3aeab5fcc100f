from sandboxes import Sandbox, build_resource

from provisioning.core.model.ids import ResourceId


def test_an_old_move_does_not_shield_a_new_resource_of_the_old_name(tmp_path):
    """Once a move was applied its declaration is history, and keeps nothing alive."""
    box = Sandbox(tmp_path)
    new = build_resource("Thing/new", moved_from=ResourceId("Thing/old"))
    box.reconcile(box.commits.commit(build_resource("Thing/old")))
    box.reconcile(box.commits.commit(new))
    plain = build_resource("Thing/new")
    box.reconcile(box.commits.commit(plain, build_resource("Thing/old")))
    box.reconcile(box.commits.commit(new))
    assert set(box.read_records()) == {"Thing/new"}
    assert len(box.world.snapshot()) == 1


def test_a_move_that_also_replaces_ends_with_the_new_alone(tmp_path):
    """The old bears its old mark until it goes; the new is made under the new name."""
    box = Sandbox(tmp_path)
    box.reconcile(box.commits.commit(build_resource("Thing/old", {"zone": "x"})))
    new = build_resource("Thing/new", {"zone": "y"}, moved_from=ResourceId("Thing/old"))
    commit = box.commits.commit(new)
    box.reconcile(commit)
    assert [str(each.mark.resource) for each in box.world.snapshot().values()] == ["Thing/new"]
    assert set(box.read_records()) == {"Thing/new"}
    assert box.reconcile(commit).run is None
