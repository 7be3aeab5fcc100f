"""A workspace at a real Gitea, whose locks are written by its API, and how it is judged."""

CALL, PUSH = r"^POST /api/v1/.*/contents", r"^POST .*/git-receive-pack"


def host(shop, gitea):
    """Bring *shop* to Gitea; return it with its `repository` and its `token` file."""
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
    gitea.wait_for_push(shop.repository)
    return shop


def read_log(shop, gitea):
    folder = str(gitea.find_folder(shop.repository))
    return shop.git("-C", folder, "log", "--format=%s", "provisioning/web").splitlines()


def judge(hosted, gitea, wanted):
    """The world is what Git says, the log is sound, the lock free, and all is done."""
    assert hosted.live() == wanted
    assert "linear, fenced, complete" in hosted.run("fsck", "web")
    assert "web is free" in hosted.run("lock", "explain", "web")
    told = read_log(hosted, gitea)
    hosted.run("reconcile", "web")
    assert read_log(hosted, gitea) == told


def publish(hosted, gitea, text):
    hosted.commit(text)
    hosted.git("push", "--quiet", gitea.get_git_url(hosted.repository), "main")
