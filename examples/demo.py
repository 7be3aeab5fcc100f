"""Plays the whole story on a temporary workspace: `make demo`."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import click

SITE = Path(__file__).parent / "site"
BASE = Path(tempfile.mkdtemp(prefix="provisioning-demo-"))
SHOP = BASE / "shop"
ENVIRONMENT = os.environ | {
    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    "PROVISIONING_HOME": str(BASE / "home"),
    "GIT_AUTHOR_NAME": "Ana",
    "GIT_AUTHOR_EMAIL": "ana@example.org",
    "GIT_COMMITTER_NAME": "Ana",
    "GIT_COMMITTER_EMAIL": "ana@example.org",
}


def say(text: str) -> None:
    """Print the heading of the next step."""
    click.secho(f"\n# {text}", bold=True)


def run(*command: str, expected: int = 0, folder: Path = SHOP, last: int | None = None) -> None:
    """Show a command, run it, and stop the demo if it does not end as expected.

    With *last*, only that many lines of the output are shown.
    """
    click.secho(f"$ {' '.join(command)}", dim=True)
    sink, errors = (subprocess.PIPE, subprocess.STDOUT) if last else (None, None)
    done = subprocess.run(
        command, cwd=folder, env=ENVIRONMENT, check=False, stdout=sink, stderr=errors, text=True
    )
    if last:
        print("  …", *done.stdout.splitlines()[-last:], sep="\n", flush=True)
    if done.returncode != expected:
        raise SystemExit(f"the demo failed: {command[0]} exited with {done.returncode}")


def commit(message: str) -> None:
    """Commit everything in the workspace."""
    run("git", "add", "-A")
    run("git", "commit", "--quiet", "-m", message)


def find_port() -> int:
    """Return a free port of the loopback."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def show_page(port: int) -> None:
    """Fetch the page the site serves, and show its heading."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
        page = answer.read().decode()
    heading = next(line for line in page.splitlines() if "<h1>" in line)
    print(f"http://127.0.0.1:{port}/ says: {heading.strip()}", flush=True)


def kill_server() -> None:
    """Kill the site's server, as a bad day would."""
    answer = subprocess.run(
        ["provisioning", "get", "web", "Process/server", "-o", "json"],
        cwd=SHOP,
        env=ENVIRONMENT,
        check=True,
        capture_output=True,
        text=True,
    )
    (server,) = json.loads(answer.stdout)["resources"]
    click.secho(f"$ kill -9 -- -{server['attributes']['pid']}", dim=True)
    os.killpg(server["attributes"]["pid"], signal.SIGKILL)


def kill_apply_half_way() -> None:
    """Begin an apply, and kill -9 it as soon as the first of its files is there."""
    click.secho("$ provisioning apply web --yes & kill -9 $!", dim=True)
    with subprocess.Popen(
        ["provisioning", "-c", "executor.parallelism=1", "apply", "web", "--yes"],
        cwd=SHOP,
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        while not list((SHOP / "live/pages").glob("*.html")):
            if process.poll() is not None:
                raise SystemExit("the demo failed: the apply was too quick to be killed")
            time.sleep(0.001)
        process.kill()
    count = len(list((SHOP / "live/pages").glob("*.html")))
    print(f"killed; {count} of 200 pages are there", flush=True)


def play(port: int) -> None:
    """Play the story."""
    say("A workspace is a Git repository")
    run("provisioning", "workspace", "init", "shop", folder=BASE)
    shutil.rmtree(SHOP / "infra/web")
    shutil.copytree(SITE / "infra", SHOP / "infra", dirs_exist_ok=True)
    settings = SHOP / "infra/web/config.toml"
    settings.write_text(settings.read_text(encoding="utf-8").replace("8080", str(port)))
    commit("A small web site")

    say("Plan: show each change and its reason")
    run("provisioning", "plan", "web", "--exit-code", expected=2)

    say("Apply: one commit for lock and intention, one for the results")
    run("provisioning", "apply", "web", "--yes")
    show_page(port)
    run("provisioning", "log", "web")
    run("provisioning", "get", "web")

    say("Reconcile again: nothing to do, nothing written")
    run("provisioning", "reconcile", "web")

    say("Cause drift by hand: edit a file, kill the server")
    page = SHOP / "live/site/index.html"
    page.write_text(page.read_text(encoding="utf-8").replace("The shop", "Defaced"))
    kill_server()
    run("provisioning", "diff", "web")
    say("Reconcile corrects the drift")
    run("provisioning", "reconcile", "web")
    show_page(port)

    say("Kill an apply in progress")
    pages = "---\n".join(
        "apiVersion: provisioning/v1\nkind: File\n"
        f"metadata: {{name: page-{n}}}\nspec: {{path: pages/{n}.html, content: page {n}}}\n"
        for n in range(200)
    )
    (SHOP / "infra/web/pages.yaml").write_text(pages, encoding="utf-8")
    commit("Two hundred pages")
    kill_apply_half_way()
    run("provisioning", "lock", "explain", "web")
    say("The next run takes the lock over and finishes the work")
    subprocess.run(
        ["provisioning", "reconcile", "web"],
        cwd=SHOP,
        env=ENVIRONMENT,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    print(f"{len(list((SHOP / 'live/pages').glob('*.html')))} of 200 pages are there", flush=True)
    run("provisioning", "status", "web")
    run("provisioning", "log", "web")
    run("provisioning", "fsck", "web")


def clean_up() -> None:
    """Delete all resources, by an empty desired state."""
    say("Delete everything: a gate blocks an empty desired state until it is allowed")
    shutil.rmtree(SHOP / "infra/web")
    (SHOP / "infra/web").mkdir(parents=True)
    (SHOP / "infra/web/.keep").touch()
    commit("Nothing any more")
    run("provisioning", "reconcile", "web", expected=3, last=7)
    run("provisioning", "reconcile", "web", "--allow", "prune", last=1)
    left = [str(path) for path in (SHOP / "live").rglob("*") if path.is_file()]
    print(f"left over: {left or 'nothing'}", flush=True)


def main() -> None:
    """Play the story, and remove the workspace."""
    try:
        play(find_port())
        clean_up()
    finally:
        if SHOP.exists():
            subprocess.run(
                ["git", "rm", "-rq", "--cached", "infra"],
                cwd=SHOP,
                check=False,
                capture_output=True,
            )
        shutil.rmtree(BASE, ignore_errors=True)


if __name__ == "__main__":
    main()
