"""How often each infra is looked at, as a commit of a real workspace has it."""

import pytest

from provisioning.application.workspace.shared_state import SharedState
from provisioning.bootstrap.workspace import join_workspace
from provisioning.config.home import find_home
from provisioning.controller.served_workspace import ServedWorkspace
from provisioning.core.model.errors import InvalidConfiguration

SETTINGS = "config/provisioning.yaml"


@pytest.fixture
def read_rhythms(shop):
    def read():
        commit = shop.git("rev-parse", "HEAD").strip()
        home, environ = find_home(shop.environment), shop.environment
        workspace = join_workspace(shop.folder, home, environ, (), SharedState())
        return ServedWorkspace(workspace).read_drift_schedules(commit, ["web", "api", "db"])

    return read


def test_an_infra_may_have_a_rhythm_of_its_own(shop, read_rhythms):
    """The others have the workspace's."""
    shop.write("serve = {cron = '0 4 * * 1', timezone = 'Europe/Berlin'}\n", "infra/db/config.toml")
    shop.commit((shop.folder / SETTINGS).read_text() + "serve: {resync: 77}\n", SETTINGS)
    found = read_rhythms()
    assert (found["db"].cron, found["db"].zone) == ("0 4 * * 1", "Europe/Berlin")
    assert found["db"].source.file == "infra/db/config.toml"
    assert [found[each].interval for each in ("web", "api")] == [77, 77]
    assert found["web"].cron is None


@pytest.mark.parametrize("broken", ["nonsense [\n", "serve.resync = 'often'\n", "servve = 1\n"])
def test_broken_settings_of_an_infra_cost_only_that_one(shop, read_rhythms, broken):
    """It has the workspace's rhythm until they are mended; its own cycle tells what is wrong."""
    shop.commit(broken, "infra/api/config.toml")
    shop.commit("serve.resync = 5\n", "infra/db/config.toml")
    found = read_rhythms()
    assert [found[each].interval for each in ("web", "api", "db")] == [600, 600, 5]


def test_broken_settings_of_the_workspace_are_told(shop, read_rhythms):
    """Nobody's rhythm is known then."""
    shop.commit((shop.folder / SETTINGS).read_text() + "serve: {resync: often}\n", SETTINGS)
    with pytest.raises(InvalidConfiguration, match=r"serve\.resync"):
        read_rhythms()
