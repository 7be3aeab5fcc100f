"""A workspace that is set back, cut off, recovered and judged again and again."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from cutting import Cut, Ending, run
from scenarios import APPLY, Scenario
from world import FOREIGN, LOG, find_faults, kill_processes

REMOTE = ".remote"
LOCK_FILES = ("index.lock", "HEAD.lock", "ORIG_HEAD.lock", "refs/heads/main.lock")


class Stage:
    """A workspace at a fixed place, set back to the same state before each case."""

    def __init__(self, scenario: Scenario, base: Path) -> None:
        self.scenario = scenario
        self.base = base
        self.workspace = base / "shop"
        self.log = base.with_name(base.name + REMOTE) if scenario.remote else self.workspace
        self.kept = base.with_name(f"{base.name}.kept")
        self.mark = b""

    def prepare(self) -> None:
        """Build the workspace: *before* applied, *after* committed, something foreign there."""
        self._build()
        if self.scenario.interrupted:
            self._interrupt()
        if "Process" not in self.scenario.before + self.scenario.after:
            self._copy(self.base, self.kept)

    def _build(self) -> None:
        self.close()
        for folder in (self.base, self.log):
            shutil.rmtree(folder, ignore_errors=True)
        self.base.mkdir()
        self._run("workspace", "init", "shop", folder=self.base)
        self._configure()
        self._commit(self.scenario.before)
        live = self.workspace / "live"
        live.mkdir(exist_ok=True)
        for name, text in {**FOREIGN, **self.scenario.handmade}.items():
            (live / name).write_text(text, encoding="utf-8")
        self._expect(0, self._run(*APPLY, folder=self.workspace))
        self._commit(self.scenario.after, self.scenario.taking)
        for command in self.scenario.since:
            self._expect(0, self._run(*command, folder=self.workspace))
        if self.scenario.lost:
            self._git("-C", str(self.log), "update-ref", "-d", LOG)

    def restore(self) -> None:
        """Set everything back; processes cannot be copied, so they are started anew."""
        if not self.kept.exists():
            self.prepare()
            return
        self._copy(self.kept, self.base)

    def _copy(self, source: Path, target: Path) -> None:
        """Copy the workspace and, lying beside it as another machine would, the remote."""
        for suffix in ("", REMOTE) if self.scenario.remote else ("",):
            copy = target.with_name(target.name + suffix)
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(source.with_name(source.name + suffix), copy, symlinks=True)

    def _configure(self) -> None:
        path = self.workspace / "config/provisioning.yaml"
        text = path.read_text(encoding="utf-8")
        found = re.search(r"id: ([0-9a-f-]+)", text)
        self.mark = f"{found[1] if found else text}/web/".encode()
        if self.scenario.remote:
            self._git("init", "--quiet", "--bare", str(self.log))
            text = text.replace("remote: null", f"remote: file://{self.log}")
        path.write_text(text + self.scenario.settings, encoding="utf-8")

    def _commit(self, manifests: str, taking: str = "") -> None:
        path = self.workspace / "infra/web/example.yaml"
        path.write_text(manifests or "# nothing yet\n", encoding="utf-8")
        if taking:
            other = self.workspace / "infra/shop/example.yaml"
            other.parent.mkdir()
            other.write_text(taking, encoding="utf-8")
        self._git("-C", str(self.workspace), "add", "-A")
        self._git("-C", str(self.workspace), "commit", "--quiet", "--allow-empty", "-m", "change")
        if self.scenario.remote:
            self._git("-C", str(self.workspace), "push", "--quiet", str(self.log), "HEAD:main")

    def _interrupt(self) -> None:
        whole = self.cut(Cut.NONE, 0)
        at = next(n for n, name in enumerate(whole.effects, 1) if "shop/live" in name)
        self._build()
        ending = self.cut(Cut.AFTER, at)
        if not ending.is_cut:
            raise RuntimeError(f"the first run was not cut off: {ending.output}")

    def _git(self, *arguments: str) -> None:
        environment = self.environment("same")
        command = ["git", *arguments]
        subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)

    def environment(self, home: str) -> dict[str, str]:
        """The environment of a run; *home* names which local disk it has."""
        return os.environ | {
            "PROVISIONING_HOME": str(self.base / f"home-{home}"),
            "HOME": str(self.base / f"home-{home}"),
            "GIT_CONFIG_GLOBAL": str(self.base / "no-gitconfig"),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "Ana",
            "GIT_AUTHOR_EMAIL": "ana@example.org",
            "GIT_COMMITTER_NAME": "Ana",
            "GIT_COMMITTER_EMAIL": "ana@example.org",
        }

    def _run(self, *arguments: str, folder: Path, home: str = "same") -> Ending:
        return run(arguments, folder=folder, base=self.base, environment=self.environment(home))

    def _expect(self, code: int, ending: Ending) -> None:
        if ending.code != code:
            raise RuntimeError(f"exit {ending.code} instead of {code}: {ending.output}")

    def cut(self, cut: Cut, at: int) -> Ending:
        """Run the scenario's command and cut it off at effect *at*."""
        return run(
            self._fill(self.scenario.command, "same"),
            folder=self.workspace,
            base=self.base,
            environment=self.environment("same"),
            cut=cut,
            at=at,
        )

    def _fill(self, command: Sequence[str], home: str) -> list[str]:
        """Put in the digest of the plan as it is now, which is what somebody says yes to."""
        if not any("{digest}" in word for word in command):
            return list(command)
        shown = self._run("plan", "web", "-o", "json", folder=self.workspace, home=home)
        digest = json.loads(shown.output)["digest"].partition(":")[2]
        return [word.replace("{digest}", digest) for word in command]

    def recover(self, home: str) -> Iterator[str]:
        """Go on with the local disk *home*, and yield what is wrong then."""
        if self.scenario.tidied:
            self._tidy()
        for command in self.scenario.recovery:
            self._run(*self._fill(command, home), folder=self.workspace, home=home)
        ending = self._run(*APPLY, folder=self.workspace, home=home)
        if ending.code != self.scenario.code:
            yield f"the next apply exits with {ending.code}: {ending.output[-400:]}"
        yield from find_faults(self.scenario, self.workspace, self.log, self.mark)
        if not self.scenario.code:
            yield from self._find_faults_of_second(home)

    def _tidy(self) -> None:
        for name in LOCK_FILES:
            (self.workspace / ".git" / name).unlink(missing_ok=True)
        self._git("-C", str(self.workspace), "stash", "--include-untracked", "--quiet")

    def _find_faults_of_second(self, home: str) -> Iterator[str]:
        again = self._run("plan", "web", folder=self.workspace, home=home)
        if again.code or "Plan:" in again.output:
            yield f"the plan after it is not empty: {again.output}"

    def close(self) -> None:
        """Leave nothing running."""
        if self.mark:
            kill_processes(self.mark)
