"""Reviews at a real Gitea: a large infra, and a pull request that touches a hundred."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "peers" / "gitea"))

from gitea_lock import find_gitea
from measuring import Row
from workspaces import ENVIRONMENT, change_one, make_workspace, render_value, render_wide

LARGE, MANY = 10_000, 100


def measure_reviews(base: Path) -> Iterator[Row]:
    """Look at one pull request, from the command to the comment and the statuses."""
    program = find_gitea()
    if program is None:
        yield Row("reviews", "Gitea is not on this machine: the tests build it", "")
        return
    from gitea_server import GiteaServer

    folder = base / "reviews"
    folder.mkdir()
    server = GiteaServer(program, folder)
    try:
        server.start()
        seconds, theirs = review(server, make_large(folder / "large"))
        text = (
            f"{seconds:.2f} s, of which Gitea and Git {theirs:.2f} s: {seconds - theirs:.2f} s ours"
        )
        yield Row(f"review of 1 changed file among {LARGE:,} resources", text, "1 s ours")
        seconds, _ = review(server, make_many(folder / "many"))
        yield Row(f"review of a pull request of {MANY} infras", f"{seconds:.2f} s", "10 s")
    finally:
        server.stop()


def make_large(folder: Path) -> Path:
    """Make one infra of many resources, and a branch that changes a file of it."""
    make_workspace(folder, render_wide(LARGE))
    git(folder, "checkout", "--quiet", "-b", "topic")
    change_one(folder, "m0000.yaml")
    return folder


def make_many(folder: Path) -> Path:
    """Make many infras, and a branch that changes each."""
    make_workspace(folder, {"example.yaml": "# nothing\n"})
    for value in ("old", "new"):
        if value == "new":
            git(folder, "checkout", "--quiet", "-b", "topic")
        for number in range(MANY):
            path = folder / f"infra/i{number:03}/value.yaml"
            path.parent.mkdir(exist_ok=True)
            path.write_text(render_value("v", value))
        git(folder, "add", "-A")
        git(folder, "commit", "--quiet", "-m", value)
    return folder


def review(server: Any, folder: Path) -> tuple[float, float]:
    """Return the seconds a review takes, and those of them that were waited for others."""
    repository = server.create_repository(auto_init=False)
    url = server.get_git_url(repository)
    git(folder, "push", "--quiet", url, "main")
    git(folder, "checkout", "--quiet", "main")
    token = folder.parent / "token"
    token.write_text(server.token)
    token.chmod(0o600)
    forge = {"kind": "gitea", "url": server.url, "repository": repository, "token_file": token}
    flags = [f"forge.{key}={value}" for key, value in forge.items()]
    options = [word for flag in flags for word in ("-c", flag)]
    subprocess.run(
        ["provisioning", *options, "apply", "--yes"], cwd=folder, check=True, capture_output=True
    )
    git(folder, "push", "--quiet", url, "topic")
    body = {"head": "topic", "base": "main", "title": "Change"}
    server.call("POST", f"/repos/{repository}/pulls", body)
    command = [sys.executable, __file__, *options, "review", "--pr", "1"]
    started = time.perf_counter()
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return time.perf_counter() - started, float(done.stdout.splitlines()[-1])


def git(folder: Path, *arguments: str) -> None:
    """Run git in *folder*."""
    subprocess.run(["git", *arguments], cwd=folder, check=True, env=os.environ | ENVIRONMENT)


def run_and_account(arguments: list[str]) -> None:
    """Run the command line in this process; print the seconds it waited for Gitea and Git last."""
    import provisioning.forges.gitea.api
    import provisioning.gitstore.repository.remote
    from provisioning.__main__ import main

    waited = [0.0]

    def account(function: Any) -> Any:
        def call(*positional: Any, **named: Any) -> Any:
            started = time.perf_counter()
            try:
                return function(*positional, **named)
            finally:
                waited[0] += time.perf_counter() - started

        return call

    api = provisioning.forges.gitea.api.GiteaApi
    api.send = account(api.send)  # type: ignore[method-assign]
    provisioning.gitstore.repository.remote.run_git = account(
        provisioning.gitstore.repository.remote.run_git
    )
    try:
        main(arguments)
    finally:
        print(waited[0])


if __name__ == "__main__":
    run_and_account(sys.argv[1:])
