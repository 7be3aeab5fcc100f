"""Every package registers its own settings, and a package that was installed too."""

import pytest

from provisioning.config import registry
from provisioning.config.layers import load_layers
from provisioning.core.model.errors import InvalidConfiguration

CODE = """
from provisioning.config.setting import Setting
SETTINGS = (Setting(key="friday.hour", type=int, default=17, minimum=0, doc="The last hour."),)
TAKEN = (Setting(key="lock.ttl", type=int, default=1, doc="Ours."),)
"""


@pytest.fixture
def fresh():
    """Look for packages anew, and once more when the test has ended."""
    cached = (registry.load_settings, registry.list_maps, registry.list_groups)

    def clear():
        for function in cached:
            function.cache_clear()

    clear()
    yield
    clear()


def load(tmp_path, *flags):
    return load_layers(lambda _: None, home=tmp_path, infra=None, environ={}, flags=flags)


def test_each_package_registers_its_own():
    """By a module of that name, next to the code that reads them."""
    modules = registry.list_modules()
    assert "provisioning.locks.settings" in modules
    assert "provisioning.providers.local.settings" in modules
    assert registry.get_setting("lock.ttl").default == 120
    assert registry.get_setting("values.any.thing").key == "values"
    assert registry.get_setting("lock") is None


def test_an_installed_package_adds_settings(install, fresh, tmp_path):
    """They have a default, are checked, and are explained as ours are."""
    install("[provisioning.settings]\nfriday = friday:SETTINGS\n", CODE)
    assert load(tmp_path).get("friday.hour").value == 17
    layers = load(tmp_path, "friday.hour=12")
    assert [each.value for each in layers.explain("friday.hour") if each.wins] == [12]
    with pytest.raises(InvalidConfiguration, match="must be a whole number of at least 0"):
        load(tmp_path, "friday.hour=-1")


def test_two_packages_of_one_key_are_refused(install, fresh, tmp_path):
    """Which of them counts would be chance."""
    install("[provisioning.settings]\nfriday = friday:TAKEN\n", CODE)
    with pytest.raises(InvalidConfiguration, match=r"friday:TAKEN registers the setting lock\.ttl"):
        load(tmp_path)
