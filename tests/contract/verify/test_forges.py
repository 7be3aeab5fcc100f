import pytest
from gitea_hub import GiteaSuite


@pytest.mark.peer("gitea")
@pytest.mark.xdist_group("gitea-forge")
class TestGiteaAtLength(GiteaSuite):
    """Every truth of a forge, those too that take a minute."""
