"""The systemd unit."""

import subprocess
from pathlib import Path

import pytest

from provisioning.interfaces.service.systemd_unit import render_unit

FOLDER = Path('/srv/50% off/$shop "x"')


def render(folder=FOLDER, program="/bin/true", user="root"):
    return render_unit([program, "--workspace", str(folder)], [folder], folder, [folder], user)


def test_words_that_mean_something_to_systemd_are_quoted():
    """Spaces, percent, dollar and quotation marks, each where systemd minds: systemd.syntax(7)."""
    lines = render().splitlines()
    assert r'ExecStart=/bin/true --workspace "/srv/50%% off/$$shop \"x\""' in lines
    assert r'Environment="PROVISIONING_HOME=/srv/50%% off/$shop \"x\""' in lines
    assert r'ReadWritePaths="/srv/50%% off/$shop \"x\""' in lines
    assert 'WorkingDirectory=/srv/50%% off/$shop "x"' in lines


def test_nothing_is_quoted_without_need():
    """So that a person reads it as it is meant."""
    assert "ReadWritePaths=/srv/shop\n" in render(Path("/srv/shop"))


def test_only_root_may_give_files_away():
    """Somebody else has no capability, and gets none."""
    assert "CapabilityBoundingSet=\n" in render(user="ana")
    assert "CapabilityBoundingSet" not in render(user="root")


@pytest.mark.peer("systemd-analyze")
@pytest.mark.parametrize("user", ["root", "daemon"])
@pytest.mark.parametrize("folder", [Path("/srv/shop"), FOLDER], ids=["plain", "odd"])
def test_systemd_takes_it(peer, tmp_path, folder, user):
    """Without a word of complaint, by Debian 12's as well, which is older than `notify-reload`."""
    unit = tmp_path / "provisioning.service"
    unit.write_text(render(folder, user=user))
    done = subprocess.run(
        [peer("systemd-analyze"), "verify", "--man=no", unit],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
