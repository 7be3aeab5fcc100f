"""Packages that were installed beside this one add to it, and a broken one is named."""

import pytest

from provisioning.bootstrap.cycle_settings import list_gates
from provisioning.config.entry_points import list_entry_points
from provisioning.core.model.errors import InvalidConfiguration
from provisioning.core.policy.builtin_gates import GATES

GATE = """
from provisioning.core.policy.gates import Gate
NO_GATE = 1
GATE = Gate(code="friday", doc="A change on a Friday.", order=25, check=lambda plan, _: None)
"""


def test_a_package_adds_a_gate(install):
    """It is found by its entry point, and takes its place between ours."""
    install(
        "[console_scripts]\nx = y:z\n\n[provisioning.gates]\n# ours\nfriday = friday:GATE\n", GATE
    )
    codes = [gate.code for gate in list_gates()]
    assert sorted(codes) == sorted(["friday", *(gate.code for gate in GATES)])
    assert codes.index("friday") == 2


def test_without_packages_the_gates_are_ours():
    """And nothing is imported to find that out."""
    assert list_gates() is GATES


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("friday:MISSING", "friday_rules-1.0 cannot be loaded: AttributeError"),
        ("no_such_module:GATE", "cannot be loaded: ModuleNotFoundError"),
        ("friday:NO_GATE", "is int, and must be Gate"),
    ],
)
def test_a_broken_package_is_named(install, value, told):
    """So that the operator knows what to remove."""
    install(f"[provisioning.gates]\nfriday = {value}\n", GATE)
    with pytest.raises(InvalidConfiguration, match=told) as caught:
        list_gates()
    assert "uninstall" in caught.value.hint


def test_the_first_package_of_a_name_counts(install, tmp_path):
    """As with modules: what stands first on the path wins."""
    install("[provisioning.gates]\nfriday = friday:OTHER\n", GATE, package="other")
    (tmp_path / "site/a_rules-1.0.dist-info").mkdir()
    place = tmp_path / "site/a_rules-1.0.dist-info/entry_points.txt"
    place.write_text("[provisioning.gates]\nfriday = friday:GATE\n")
    (point,) = list_entry_points("gates")
    assert (point.value, point.place) == ("friday:GATE", str(place))


def test_a_workspace_adds_nothing(install, tmp_path, monkeypatch):
    """What lies in the working directory is not installed, even if it is on the path."""
    install("[provisioning.gates]\nfriday = friday:GATE\n", GATE)
    monkeypatch.chdir(tmp_path / "site")
    assert list_gates() is GATES
