import os
import re
import shutil
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from running_service import RunningService

PROGRAM = (sys.executable, "-m", "provisioning")


@dataclass
class Shop:
    """A workspace on disk, and the real program run in it as a process of its own."""

    folder: Path
    home: Path
    environment: dict

    def write(self, text, name="infra/web/example.yaml"):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def commit(self, text=None, name="infra/web/example.yaml"):
        if text is not None:
            self.write(text, name)
        self.git("add", "-A")
        self.git("commit", "--quiet", "--allow-empty", "-m", "change")

    def git(self, *arguments):
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    def start(self, *arguments, **more):
        return subprocess.Popen(
            [*PROGRAM, *arguments],
            cwd=self.folder,
            env=self.environment | more,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            stdin=subprocess.DEVNULL,
        )

    def run(self, *arguments, expected=0, **more):
        process = self.start(*arguments, **more)
        out, err = process.communicate(timeout=600)
        assert process.returncode == expected, (process.returncode, out, err)
        assert "Traceback" not in err
        return out + err

    def copy(self, base):
        """Return a copy of it below *base*, to go on from a state that took long to reach."""
        folder, home = base / self.folder.name, base / self.home.name
        shutil.copytree(self.folder, folder, symlinks=True)
        if self.home.exists():
            shutil.copytree(self.home, home, symlinks=True)
        own = {"PROVISIONING_HOME": str(home), "HOME": str(home)}
        own["GIT_CONFIG_GLOBAL"] = str(home / "gitconfig")
        return Shop(folder, home, self.environment | own)

    def live(self):
        root = self.folder / "live"
        files = (path for path in root.rglob("*") if path.is_file())
        return {str(path.relative_to(root)): path.read_text(encoding="utf-8") for path in files}

    def judge(self, wanted):
        """Find the world as Git says and nothing besides, the log sound, the lock free."""
        assert self.live() == wanted
        leftovers = [path.name for path in (self.folder / "live").rglob(".*")]
        assert leftovers == []
        assert "linear, fenced, complete" in self.run("fsck", "web")
        assert "web is free" in self.run("lock", "explain", "web")
        head = self.git("rev-parse", "provisioning/web")
        self.run("reconcile", "web")
        assert self.git("rev-parse", "provisioning/web") == head


def build_shop(folder, home):
    environment = os.environ | {
        "PROVISIONING_HOME": str(home),
        "HOME": str(home),
        "GIT_CONFIG_GLOBAL": str(home / "gitconfig"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "Ana",
        "GIT_AUTHOR_EMAIL": "ana@example.org",
        "GIT_COMMITTER_NAME": "Ana",
        "GIT_COMMITTER_EMAIL": "ana@example.org",
    }
    shop = Shop(folder, home, environment)
    folder.mkdir(parents=True)
    shop.run("workspace", "init", ".")
    return shop


@pytest.fixture(scope="session")
def new_shop(tmp_path_factory):
    """A workspace as `workspace init` makes it."""
    base = tmp_path_factory.mktemp("new")
    return build_shop(base / "shop", base / "home")


def copy_new(new_shop, base):
    """Return a copy of a new workspace, with an id of its own."""
    shop = new_shop.copy(base)
    path = shop.folder / "config/provisioning.yaml"
    path.write_text(re.sub("id: [0-9a-f-]{36}", f"id: {uuid.uuid4()}", path.read_text()))
    shop.git("commit", "--quiet", "--all", "--amend", "--no-edit")
    return shop


@pytest.fixture
def shop(new_shop, tmp_path):
    return copy_new(new_shop, tmp_path)


@pytest.fixture(scope="module")
def module_shop(new_shop, tmp_path_factory):
    """A workspace that a module prepares once, and copies for each test."""
    return copy_new(new_shop, tmp_path_factory.mktemp("module"))


@pytest.fixture
def render_files():
    def render(names, content="x"):
        return "---\n".join(
            "apiVersion: provisioning/v1\nkind: File\n"
            f"metadata: {{name: f{name}}}\n"
            f"spec: {{path: 'd/{name}.txt', content: '{content}{name}'}}\n"
            for name in names
        )

    return render


# At Gitea: two people, their pull requests, and the reconciler between them

MOTD = """\
apiVersion: provisioning/v1
kind: File
metadata: {name: motd}
spec: {path: motd, content: "hello\\n"}
"""

REVIEW, ANSWER = "<!-- provisioning:review -->", "<!-- provisioning:answer -->"


@dataclass
class Hosted:
    """A workspace at Gitea, its people, and their pull requests."""

    shop: Any
    gitea: Any
    repository: str
    tokens: dict
    numbers: Any
    pulls: dict = field(default_factory=dict)
    forks: set = field(default_factory=set)

    def call(self, who, method, path, body=None, expected=range(200, 300)):
        status, data = self.gitea.call(
            method, f"/repos/{self.repository}{path}", body, token=self.tokens[who]
        )
        assert status in expected, (status, data)
        return data

    def run(self, *arguments, expected=0, **more):
        return self.shop.run(*arguments, expected=expected, **more)

    def push(self, branch, files, *, base="main", force=False):
        """Commit *files* (None removes) on a branch from *base*, and push it."""
        self.shop.git("fetch", "--quiet", self.url, "main")
        self.shop.git("checkout", "--quiet", "-B", branch, "FETCH_HEAD" if base == "main" else base)
        for name, text in files.items():
            path = self.shop.folder / name
            path.unlink() if text is None else self.shop.write(text, name)
        self.shop.git("add", "-A")
        self.shop.git("commit", "--quiet", "-m", "change")
        more = ["--force"] if force else []
        self.shop.git("push", "--quiet", *more, self.url, f"HEAD:{branch}")
        if branch in self.pulls:
            self.wait_for_head(self.pulls[branch], self.shop.git("rev-parse", "HEAD").strip())

    def wait_for_head(self, pull, commit):
        """Wait until Gitea's own reference of *pull* is *commit*: it is moved after the push."""
        deadline = time.monotonic() + 600
        while not self.shop.git("ls-remote", self.url, f"refs/pull/{pull}/head").startswith(commit):
            assert time.monotonic() < deadline, f"pull request {pull} does not follow its branch"
            time.sleep(0.05)

    @property
    def url(self):
        return self.gitea.get_git_url(self.repository)

    def open(self, files, who="ana"):
        """Open a pull request of *who* with *files*; return its number."""
        branch = f"topic{next(self.numbers)}"
        self.push(branch, files)
        body = {"head": branch, "base": "main", "title": "Change"}
        self.pulls[branch] = self.call(who, "POST", "/pulls", body)["number"]
        return self.pulls[branch]

    def open_fork(self, files, who="eve"):
        """Open a pull request of *who* from a fork with *files*; return its number."""
        fork = f"{who}/{self.repository.partition('/')[2]}"
        if who not in self.forks:
            self.call(who, "POST", "/forks", {})
            self.forks.add(who)
        branch = f"topic{next(self.numbers)}"
        self.shop.git("checkout", "--quiet", "-B", branch, "main")
        for name, text in files.items():
            self.shop.write(text, name)
        self.shop.commit()
        self.shop.git("push", "--quiet", self.gitea.get_git_url(fork), f"HEAD:{branch}")
        self.shop.git("checkout", "--quiet", "main")
        body = {"head": f"{who}:{branch}", "base": "main", "title": "Mine"}
        return self.call(who, "POST", "/pulls", body)["number"]

    def list_published(self, pull):
        """Return every text that the reconciler has written at the forge about *pull*."""
        head = self.read(pull)["head"]["sha"]
        statuses = self.call("ops", "GET", f"/commits/{head}/statuses")
        return [*self.list_comments(pull), *(status["description"] for status in statuses)]

    def read(self, pull):
        return self.call("ops", "GET", f"/pulls/{pull}")

    def merge(self, pull, who="ben"):
        """Merge it, once Gitea has found out whether that can be done."""
        path, body = f"/pulls/{pull}/merge", {"Do": "merge"}
        deadline = time.monotonic() + 600
        while True:
            told = self.call(who, "POST", path, body, expected=(*range(200, 300), 405))
            if "try again later" not in str(told):
                assert self.read(pull)["merged"], told
                return
            assert time.monotonic() < deadline, told
            time.sleep(0.2)

    def say(self, pull, who, text):
        return self.call(who, "POST", f"/issues/{pull}/comments", {"body": text})["id"]

    def list_comments(self, pull, marker=""):
        found = self.call("ops", "GET", f"/issues/{pull}/comments")
        return [each["body"] for each in found if each["body"].startswith(marker)]

    def get_comment(self, pull):
        (comment,) = self.list_comments(pull, REVIEW)
        return comment

    def list_answers(self, pull):
        return self.list_comments(pull, ANSWER)

    def get_answer(self, pull):
        return self.list_answers(pull)[-1]

    def list_statuses(self, commit):
        found = self.call("ops", "GET", f"/commits/{commit}/statuses")
        newest_last = sorted(found, key=lambda each: each["id"])
        return {each["context"]: each["status"] for each in newest_last}

    def read_motd(self):
        return (self.shop.folder / "live/motd").read_text()

    def publish(self, text):
        """Commit *text* as the manifest of the branch, and push it; return the commit."""
        self.shop.commit(text)
        self.shop.git("push", "--quiet", self.url, "HEAD:main")
        return self.shop.git("rev-parse", "HEAD").strip()

    def get_statuses(self, pull):
        return self.list_statuses(self.read(pull)["head"]["sha"])


@pytest.fixture
def hosted(shop, gitea, people):
    repository = gitea.create_repository(auto_init=False)
    token = shop.home / "gitea-token"
    token.parent.mkdir(exist_ok=True)
    token.write_text(f"{gitea.token}\n")
    token.chmod(0o600)
    settings = shop.folder / "config/provisioning.yaml"
    more = f"""
lock: {{backend: gitea}}
forge: {{kind: gitea, url: "{gitea.url}", repository: {repository}, token_file: gitea-token}}
"""
    settings.write_text(settings.read_text(encoding="utf-8") + more)
    shop.commit(MOTD)
    made = Hosted(shop, gitea, repository, people, count())
    shop.git("push", "--quiet", made.url, "HEAD:main")
    gitea.wait_for_push(repository)
    for name in ("ana", "ben"):
        made.call("ops", "PUT", f"/collaborators/{name}", {"permission": "write"})
    shop.run("apply", "--yes")
    return made


@pytest.fixture
def hosted_service(hosted):
    """A service that hears of everything by webhooks: it polls once an hour."""
    shop, flags = hosted.shop, ["serve.poll=3600"]
    running = RunningService([shop.folder], shop.home, shop.environment, flags)
    try:
        running.start()
        hook = f"{running.url}/hooks/{shop.folder.name}"
        hosted.run("forge", "setup", "--yes", "--webhook", hook)
        yield running
    finally:
        assert running.stop() == 0
