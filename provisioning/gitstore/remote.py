"""A remote repository: fetched into a private mirror, and pushed to by compare-and-swap."""

from __future__ import annotations

import re
from pathlib import Path

from provisioning.core.errors import (
    HeadMoved,
    InvalidConfiguration,
    ProvisioningError,
    RemoteRefused,
    RemoteUnreachable,
)
from provisioning.core.ids import CommitId
from provisioning.gitstore.git import Answer, mask_password, run_git
from provisioning.gitstore.repository import Repository

FETCH_TIMEOUT = 300.0
"""Seconds that one exchange with a remote may take."""

STALE = re.compile(
    r"stale info|fetch first|non-fast-forward|already exists|cannot lock ref|failed to update ref"
)
"""What Git says to a push that another was quicker than."""

REFUSED = re.compile(
    r"remote rejected|pre-receive hook declined|protected branch|"
    r"Permission denied|Authentication failed|not found|does not appear to be a git repository|"
    r"could not read Username|403|401|Host key verification failed"
)
"""What a remote says whose "no" will not change by itself."""


class Remote:
    """The repository at *url*, and its private mirror below *mirror*."""

    def __init__(self, url: str, mirror: Path) -> None:
        self.url = check_url(url)
        self.shown = mask_password(url)
        self._folder = mirror
        self._create_mirror()
        self.mirror = Repository(mirror)

    def _create_mirror(self) -> None:
        if (self._folder / "HEAD").is_file():
            return
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        answer = run_git(self._folder, "init", "--quiet", "--bare")
        if answer.status:
            raise RemoteUnreachable(f"no mirror can be made at {self._folder}: {answer.error}")

    def fetch(self, *refs: str) -> None:
        """Fetch *refs* (a `*` at the end matches); what is gone there goes here too.

        Raises:
            RemoteUnreachable: If the remote does not answer.
            RemoteRefused: If it says no.
        """
        answer = run_git(
            self._folder,
            "fetch",
            "--quiet",
            "--prune",
            "--no-tags",
            "--no-write-fetch-head",
            "--",
            self.url,
            *(f"+{ref}:{ref}" for ref in refs),
            timeout=FETCH_TIMEOUT,
        )
        if answer.status:
            raise self._describe("fetched from", answer)

    def push(self, ref: str, new: CommitId, old: CommitId | None) -> None:
        """Move *ref* from *old* (None: it must not exist) to *new*, there and in the mirror.

        An answer that was lost is looked up: on return the remote has *new*.

        Raises:
            HeadMoved: If *ref* is not at *old*.
            RemoteRefused: If the remote says no.
            RemoteUnreachable: If it cannot be known whether the push arrived.
        """
        answer = run_git(
            self._folder,
            "push",
            "--porcelain",
            "--atomic",
            f"--force-with-lease={ref}:{old or ''}",
            "--",
            self.url,
            f"{new}:{ref}",
            timeout=FETCH_TIMEOUT,
        )
        if answer.status:
            self._look_up(ref, new, old, answer)
        self._follow(ref, new)

    def _look_up(self, ref: str, new: CommitId, old: CommitId | None, push: Answer) -> None:
        """Find out what became of a push whose answer was not a yes."""
        told = push.output + push.error
        try:
            there = self._read_ref(ref)
        except ProvisioningError as exc:
            raise RemoteUnreachable(
                f"it cannot be known whether {ref} was pushed to {self.shown}: {exc.message}",
                hint="run again when it answers; nothing is lost",
            ) from exc
        if there == new:
            return
        if there != old or (STALE.search(told) and not REFUSED.search(told)):
            raise HeadMoved(f"{ref} of {self.shown} is no longer at {(old or 'nothing')[:10]}")
        raise self._describe("pushed to", push)

    def _read_ref(self, ref: str) -> CommitId | None:
        answer = run_git(self._folder, "ls-remote", "--", self.url, ref, timeout=FETCH_TIMEOUT)
        if answer.status:
            raise self._describe("read from", answer)
        return CommitId(answer.output.split()[0]) if answer.output.strip() else None

    def _follow(self, ref: str, new: CommitId) -> None:
        """Point the mirror's ref to what the remote now has; the next fetch would do it too."""
        run_git(self._folder, "update-ref", ref, new)

    def _describe(self, what: str, answer: Answer) -> ProvisioningError:
        lines = [
            line for line in (answer.error + "\n" + answer.output).splitlines() if line.strip()
        ]
        told = "; ".join(lines[:4]) or "it did not answer in time"
        message = f"{self.shown} cannot be {what}: {mask_password(told)}"
        if REFUSED.search(told):
            return RemoteRefused(
                message, hint="check the URL, your rights and the branch's protection"
            )
        return RemoteUnreachable(message, hint="check the network; run again when it answers")


def check_url(url: str) -> str:
    """Return *url* if it is one that Git may be given.

    Raises:
        InvalidConfiguration: If it is an option in disguise, or runs a program.
    """
    if url.startswith("-") or "::" in url.partition("/")[0]:
        raise InvalidConfiguration(
            f"{mask_password(url)!r} is not the URL of a repository",
            hint="use https://, ssh://, git@host:path, file:// or a path",
        )
    return url
