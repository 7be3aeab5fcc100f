"""`lock.backend: gitea`, end to end: the real program and a real Gitea."""

import re

import pytest

pytestmark = [pytest.mark.peer("gitea"), pytest.mark.xdist_group("gitea")]


@pytest.fixture
def hosted(shop, gitea):
    """A workspace whose repository is at Gitea, and whose locks are written by its API."""
    shop.repository = gitea.create_repository(auto_init=False)
    token = shop.home / "gitea-token"
    token.parent.mkdir(exist_ok=True)
    token.write_text(f"{gitea.token}\n")
    token.chmod(0o600)
    settings = shop.folder / "config/provisioning.yaml"
    more = f"""
lock: {{backend: gitea}}
forge:
  kind: gitea
  url: {gitea.url}
  repository: {shop.repository}
  token_file: gitea-token
"""
    settings.write_text(settings.read_text(encoding="utf-8") + more)
    shop.token = token
    shop.commit()
    shop.git("push", "--quiet", gitea.get_git_url(shop.repository), "main")
    return shop


def read_log(shop, gitea):
    folder = str(gitea.find_folder(shop.repository))
    return shop.git("-C", folder, "log", "--format=%s", "provisioning/web").splitlines()


def test_a_run_writes_twice_at_gitea_and_nothing_here(hosted, gitea):
    """The state log is at Gitea, and the user's clone is as it was; the next run goes on there."""
    before = hosted.git("for-each-ref")
    hosted.run("apply", "--yes")
    hosted.commit(hosted.folder.joinpath("infra/web/example.yaml").read_text() + "# more\n")
    hosted.git("push", "--quiet", gitea.get_git_url(hosted.repository), "main")
    (hosted.folder / "live/etc/motd").unlink()
    hosted.run("reconcile")
    told = read_log(hosted, gitea)
    assert [line.split()[0] for line in told] == ["done", "begin", "done", "begin"]
    assert "refs/heads/provisioning" not in before + hosted.git("for-each-ref")
    assert "linear, fenced, complete" in hosted.run("fsck")


def test_the_token_file_is_a_setting_as_any_other(hosted, tmp_path):
    """A variable of the environment names another file, and the error names that one."""
    other = tmp_path / "other-token"
    told = hosted.run("plan", expected=1, PROVISIONING_FORGE__TOKEN_FILE=str(other))
    assert f"{other}, the file of forge.token_file, cannot be read" in told
    hosted.token.rename(other)
    hosted.run("plan", PROVISIONING_FORGE__TOKEN_FILE=str(other))
    assert "token_file, cannot be read" in hosted.run("plan", expected=1)


@pytest.mark.parametrize(
    ("pattern", "text", "told"),
    [
        ("  token_file:.*", "", "forge.kind is set, and forge.token_file is not"),
        ("  url:.*", "", "forge.kind is set, and forge.url is not"),
        ("  repository:.*", "  repository: shop", "write it as OWNER/NAME"),
        ("forge:(\n  .*)+", "", "lock.backend is gitea, and forge.kind is not set"),
        ("  token_file:.*", "  token_file: {}/inside", "is inside of the repository"),
    ],
    ids=["no token file", "no url", "no owner", "no forge", "inside"],
)
def test_what_is_missing_is_named(hosted, pattern, text, told):
    """One clear error for each setting that the others need."""
    settings = hosted.folder / "config/provisioning.yaml"
    old = settings.read_text(encoding="utf-8")
    settings.write_text(re.sub(pattern, text.format(hosted.folder), old))
    assert told in hosted.run("apply", "--yes", expected=1)
    assert hosted.live() == {}
