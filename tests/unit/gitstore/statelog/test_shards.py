from hypothesis import given, settings
from hypothesis import strategies as st

from provisioning.core.model.errors import Source
from provisioning.core.model.ids import ResourceId, RunId
from provisioning.core.model.records import Record
from provisioning.core.model.values import Omitted, Sensitive
from provisioning.gitstore.statelog import shards
from provisioning.gitstore.statelog.shards import (
    LEAF,
    compute_shard_changes,
    parse_leaf,
    render_leaf,
)


def build_record(name, value=0):
    return Record(
        id=ResourceId(name),
        kind="Thing",
        provider="memory",
        spec={"size": value},
        attributes={"secret": Sensitive("hmac-sha256:00"), "content": Omitted("ab", 3)},
        run=RunId("1-abcdef"),
        operation=1,
        source=Source("a.yaml", 1),
    )


def apply(files, updates):
    """Return the files after *updates*, as a commit would leave them."""
    paths = {path: path for path in files}
    changes = compute_shard_changes(paths, files.__getitem__, updates)
    after = {**files, **changes}
    return {path: data for path, data in after.items() if data is not None}, changes


def read(files):
    found = [each for path, data in files.items() for each in parse_leaf(data, path)]
    assert len({each.id for each in found}) == len(found)
    return {each.id: each for each in found}


updates = st.dictionaries(
    st.integers(0, 40).map(lambda number: ResourceId(f"Thing/t{number}")),
    st.none() | st.integers(0, 3),
    max_size=20,
)


@settings(max_examples=80, deadline=None)
@given(st.lists(updates, max_size=6))
def test_shards_hold_what_a_map_would_hold(rounds):
    """Any sequence of updates leaves the records that a plain map has, also when leaves split."""
    leaf, shards.LEAF = shards.LEAF, 3
    try:
        files, expected = {}, {}
        for changes in rounds:
            new = {name: v if v is None else build_record(name, v) for name, v in changes.items()}
            files, _ = apply(files, new)
            expected.update(new)
            kept = {name: record for name, record in expected.items() if record is not None}
            assert read(files) == kept
    finally:
        shards.LEAF = leaf


def test_one_change_among_many_writes_one_small_leaf():
    """The cost of a record follows the change, not the size of the infra."""
    many = {ResourceId(f"Thing/t{n}"): build_record(f"Thing/t{n}") for n in range(5000)}
    files, _ = apply({}, many)
    name = ResourceId("Thing/t17")
    _, changes = apply(files, {name: build_record(name, 9)})
    ((path, data),) = changes.items()
    assert path in files
    assert data.count(b"\n") <= LEAF


def test_a_leaf_is_a_sorted_line_a_record():
    """So `git diff` shows one line a changed resource."""
    records = [build_record("Thing/b"), build_record("Thing/a")]
    lines = render_leaf(records).splitlines()
    assert [b'"Thing/a"' in lines[0], b'"Thing/b"' in lines[1]] == [True, True]
    assert parse_leaf(render_leaf(records), "x") == sorted(records, key=lambda each: each.id)
