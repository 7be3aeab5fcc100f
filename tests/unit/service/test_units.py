"""The systemd unit."""

from pathlib import Path

from provisioning.service.units import render_unit


def test_words_that_mean_something_to_systemd_are_quoted():
    """Spaces, percent and dollar signs: systemd.service(5)."""
    folder = Path("/srv/50% off/$shop")
    unit = render_unit(["/usr/bin/provisioning", "serve"], [folder], Path("/home/x"), [folder])
    assert "ReadWritePaths='/srv/50%% off/$$shop'\n" in unit
    assert "ExecStart=/usr/bin/provisioning serve\n" in unit
