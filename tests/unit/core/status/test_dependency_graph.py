"""What `tree` and `graph` draw."""

from sandboxes import build_resource

from provisioning.core.model.errors import Source
from provisioning.core.model.records import Record
from provisioning.core.status.dependency_graph import View, compute_dependency_graph


def record(name, run, *needs):
    return Record(
        id=name,
        kind="Thing",
        provider="memory",
        spec={},
        attributes={},
        run=f"{run}-abcdef",
        operation=1,
        source=Source("a.yaml", 1),
        depends_on=needs,
    )


def test_what_leaves_closes_no_ring():
    """Records of different runs may stand on each other; the newer one tells."""
    records = {
        "Thing/a": record("Thing/a", 2, "Thing/c"),
        "Thing/c": record("Thing/c", 1, "Thing/a", "Thing/b"),
    }
    desired = {"Thing/b": build_resource("Thing/b", {"size": 0})}
    graph = compute_dependency_graph({"web": View(desired=desired, records=records)})
    assert graph["web", "Thing/a"].needs == (("web", "Thing/c"),)
    assert graph["web", "Thing/c"].needs == (("web", "Thing/b"),)
