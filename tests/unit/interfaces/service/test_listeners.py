"""Two services never listen at one door."""

import pytest

from provisioning.core.model.errors import InvalidArgument
from provisioning.interfaces.service.listeners import bind_admin, bind_public


def test_a_door_is_taken_from_the_moment_it_is_bound(tmp_path):
    """Before anybody answers there, too: a second service is told so, and does not start."""
    public, control = bind_public("127.0.0.1:0"), bind_admin(tmp_path / "s")
    with public, control:
        host, port = public.getsockname()
        with pytest.raises(InvalidArgument, match="cannot be listened at"):
            bind_public(f"{host}:{port}")
        with pytest.raises(InvalidArgument, match="a service listens"):
            bind_admin(tmp_path / "s")
