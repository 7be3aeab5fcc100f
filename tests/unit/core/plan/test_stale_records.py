"""Records of an older or newer version of their kind."""

import msgspec
import pytest

from provisioning.core.model.errors import ProviderMisbehaved, Source, StateLogDamaged
from provisioning.core.model.kinds import Kind
from provisioning.core.model.records import Record
from provisioning.core.model.states import RecordedState
from provisioning.core.plan.stale_records import upgrade_records

RECORD = Record(
    id="Server/web",
    kind="Server",
    provider="aws",
    spec={"ram": 2},
    attributes={"id": "i-1", "ram": 2},
    run="7-c0ffee",
    operation=1,
    source=Source("infra/web/web.yaml", 3),
    leftovers=({"id": "i-0", "ram": 1},),
)


def rename(version, spec, attributes):
    assert version == 1
    for values in (spec, attributes):
        if "ram" in values:
            values["memory"] = values.pop("ram")
    return spec, attributes


KIND = Kind(name="Server", provider="aws", summary="A server.", model=lambda: None)


def upgrade(record, kind):
    recorded = RecordedState(head=None, records={record.id: record}, unfinished=(record,))
    return upgrade_records(recorded, {"Server": kind})


def test_an_old_record_is_read_as_the_kind_is_now():
    """Spec, attributes and leftovers are; the record that was given is as it was."""
    kind = msgspec.structs.replace(KIND, schema_version=2, upgrade=rename)
    after = upgrade(RECORD, kind)
    record = after.records["Server/web"]
    assert (record.spec, record.schema_version) == ({"memory": 2}, 2)
    assert record.attributes == {"id": "i-1", "memory": 2}
    assert record.leftovers == ({"id": "i-0", "memory": 1},)
    assert after.unfinished == (record,)
    assert RECORD.spec == {"ram": 2}


def test_a_record_of_this_version_is_left_alone():
    """Nothing is copied."""
    recorded = RecordedState(head=None, records={RECORD.id: RECORD})
    assert upgrade_records(recorded, {"Server": KIND}) is recorded


def test_a_record_of_a_newer_version_is_refused():
    """An older provider would misread it; the error names both versions and the place."""
    newer = msgspec.structs.replace(RECORD, schema_version=3)
    with pytest.raises(StateLogDamaged, match="is recorded in version 3 of Server") as caught:
        upgrade(newer, KIND)
    assert "aws reads version 1" in str(caught.value)
    assert caught.value.source == RECORD.source


def test_a_provider_that_cannot_upgrade_is_blamed():
    """By its name, and with what went wrong."""
    broken = msgspec.structs.replace(KIND, schema_version=2, upgrade=lambda *_: 1 / 0)
    with pytest.raises(ProviderMisbehaved, match="'aws' cannot upgrade the record of Server/web"):
        upgrade(RECORD, broken)
