"""A remote repository, with a private mirror, and pushes by compare-and-swap."""

from __future__ import annotations

import base64
import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from provisioning.core.model.errors import (
    HeadMoved,
    InvalidConfiguration,
    ProvisioningError,
    RemoteRefused,
    RemoteUnreachable,
    StorageFailed,
)
from provisioning.core.model.ids import CommitId
from provisioning.core.policy.review_records import REVIEWS
from provisioning.core.reviews.drift_pulls import DRIFT_REFS
from provisioning.core.reviews.forge import Token
from provisioning.core.statelog.transitions import OURS
from provisioning.gitstore.repository.git_program import GitResult, mask_password, run_git
from provisioning.gitstore.repository.ref_locks import LockWatch
from provisioning.gitstore.repository.repository import Repository

EXCHANGE_TIMEOUT = 300.0
"""Seconds that one exchange with the remote may take."""

MAX_ATTEMPTS = 5
"""Fetches that are tried while another process writes the mirror."""

PACKING = (
    *("-c", "core.fsync=all"),
    *("-c", "maintenance.loose-objects.auto=1000"),
    *("maintenance", "run", "--auto", "--quiet", "--task=loose-objects"),
)
"""Packs the loose objects of a mirror once there are 1,000, those of 200 runs: each push reads the
heads of all branches, and from a pack in half the time. Packs are left alone, so that the cost
follows the runs and not the history."""

ABSENT = re.compile(r"couldn't find remote ref (\S+)")
BUSY = re.compile(r"cannot lock ref|Unable to create '.*\.lock'|some local refs could not be")

STALE = re.compile(
    r"stale info|fetch first|non-fast-forward|already exists|"
    r"cannot lock ref|failed to update ref|incorrect old value"
)
"""The rejections of a push that lost a race."""

NOT_FORCED = "non-fast-forward"
"""The rejection of a forced push, although nothing has moved."""

REFUSED = re.compile(
    r"Permission denied|access denied|Authentication failed|could not read (Username|Password)|"
    r"returned error: 40[0-7]|repository .* not found|does not appear to be a git repository|"
    r"dubious ownership|Host key verification failed"
)
"""The permanent refusals of a remote."""

NO_LOGIN = re.compile(r"could not read Username|Authentication failed")
"""The messages of Git without valid credentials."""

ADVICE = re.compile(
    r"^(fatal: Could not read from remote|Please make sure|and the repository exists|"
    r"error: failed to push some refs|remote:$)"
)
"""Lines that Git adds to every failure."""

MAX_LINES = 4
"""Lines of a remote's answer that a message repeats."""


class Exchange(msgspec.Struct, frozen=True):
    """One exchange with a remote: the Git command, its duration, and whether it succeeded."""

    command: str
    seconds: float
    is_done: bool


def ignore_exchange(exchange: Exchange) -> None:
    """Ignore *exchange*."""
    del exchange


class Remote:
    """The repository at *url*, and its private mirror below *mirror*.

    *token* is that of a forge, or reads it for each exchange; it is in no argument and no file.
    *listener* is called after each exchange, from the thread that made it.
    """

    def __init__(
        self,
        url: str,
        mirror: Path,
        *,
        timeout: float = EXCHANGE_TIMEOUT,
        token: str | Token = "",
        listener: Callable[[Exchange], None] = ignore_exchange,
    ) -> None:
        self._token = token
        self._listener = listener
        self.url = check_url(url)
        self.shown = mask_password(url)
        self._folder = mirror
        self._timeout = timeout
        self._create_mirror()
        self.mirror = Repository(mirror)

    def _create_mirror(self) -> None:
        if (self._folder / "HEAD").is_file():
            return
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        answer = run_git(self._folder, "init", "--quiet", "--bare")
        if answer.status:
            raise StorageFailed(f"no mirror can be made at {self._folder}: {answer.error}")

    def fetch(self, *refs: str) -> None:
        """Fetch *refs* (a `*` at the end matches), and prune those that the remote has not.

        Raises:
            RemoteUnreachable: If the remote does not answer.
            RemoteRefused: If it refuses.
        """
        wanted = list(refs)
        attempts = MAX_ATTEMPTS
        watch = LockWatch(self._folder)
        while wanted:
            answer = self._fetch_once(wanted)
            if answer.status == 0:
                run_git(self._folder, *PACKING, timeout=self._timeout)
                return
            absent = ABSENT.search(answer.error)
            if absent and absent[1] in wanted:
                wanted.remove(absent[1])
                run_git(self._folder, "update-ref", "-d", absent[1])
                continue
            attempts -= 1
            watch.is_blocked(answer.error)
            if attempts == 0 or not BUSY.search(answer.error):
                raise self._describe("fetched from", answer)

    def _fetch_once(self, refs: list[str]) -> GitResult:
        options = ("--quiet", "--prune", "--no-tags", "--no-write-fetch-head")
        return self._ask(
            "fetch",
            *options,
            "--no-auto-maintenance",
            "--",
            self.url,
            *(f"+{ref}:{ref}" for ref in refs),
        )

    def push(self, ref: str, new: CommitId, old: CommitId | None) -> None:
        """Move *ref* from *old* (None: it must not exist) to *new*, there and in the mirror.

        After a lost answer the remote is read: on return it has *new*.

        Raises:
            HeadMoved: If *ref* is not at *old*.
            RemoteRefused: If the remote refuses.
            RemoteUnreachable: If the result of the push is unknown.
        """
        self._check_ours(ref, new, old)
        self._push(ref, new, old)
        self.mirror.follow(ref, new)

    def replace(self, ref: str, new: CommitId, old: CommitId) -> None:
        """Replace *old* by *new*, which has another history; else as `push`.

        Only compaction of a state log does so.
        """
        if not ref.startswith(OURS):
            raise AssertionError(f"{ref} is no state log")
        self._push(ref, new, old)
        self.mirror.follow(ref, new)

    def publish(self, ref: str, new: CommitId) -> None:
        """Move *ref*, a branch of people, forward to *new*, there and in the mirror.

        Raises:
            HeadMoved: If *new* does not follow *ref* there.
            RemoteRefused: If the remote refuses.
            RemoteUnreachable: If it does not answer.
        """
        answer = self._ask("push", "--porcelain", "--", self.url, f"{new}:{ref}")
        if answer.status:
            violation = parse_rejection(answer.output)
            if is_lost_race(violation or "", answer.error):
                raise HeadMoved(f"{ref} of {self.shown} has moved on", hint="try again")
            if violation:
                raise self._refuse("pushed to", f"{violation}; {_join(answer.error)}")
            raise self._describe("pushed to", answer)
        self.mirror.follow(ref, new)

    def delete(self, ref: str, old: CommitId) -> None:
        """Delete *ref*, there and in the mirror, if it is at *old*; see `push` for the rest."""
        if not ref.startswith(DRIFT_REFS):
            raise AssertionError(f"{ref} is not ours to delete")
        self._push(ref, None, old)
        self.mirror.unfollow(ref)

    def _push(self, ref: str, new: CommitId | None, old: CommitId | None) -> None:
        lease, change = f"--force-with-lease={ref}:{old or ''}", f"{new or ''}:{ref}"
        answer = self._ask("push", "--porcelain", "--atomic", lease, "--", self.url, change)
        if answer.status:
            self._resolve_push(ref, new, old, answer)

    def _check_ours(self, ref: str, new: CommitId, old: CommitId | None) -> None:
        """Refuse pushes to other branches, and rewrites, which the lease alone would allow.

        The branch of a drift is rewritten each time.
        """
        if not ref.startswith((OURS, REVIEWS, DRIFT_REFS)):
            raise AssertionError(f"{ref} is not ours to write")
        is_history = not ref.startswith(DRIFT_REFS)
        if old and is_history and not self.mirror.is_ancestor(old, new):
            raise AssertionError(f"{new} does not follow {old}")

    def _resolve_push(
        self, ref: str, new: CommitId | None, old: CommitId | None, push: GitResult
    ) -> None:
        """Read the remote after a failed push, and raise the error that fits."""
        violation = parse_rejection(push.output)
        if violation is None and REFUSED.search(push.error):
            raise self._describe("pushed to", push)
        try:
            there = self._read_ref(ref)
        except ProvisioningError as exc:
            raise RemoteUnreachable(
                f"it is unknown whether {ref} was pushed to {self.shown}: {exc.message}",
                hint="run again when it answers; nothing is lost",
            ) from exc
        if there == new:
            return
        if there == old and NOT_FORCED in (violation or ""):
            raise self._refuse("pushed to", f"it accepts no forced push of {ref}")
        if there != old or is_lost_race(violation or "", push.error):
            raise HeadMoved(f"{ref} of {self.shown} is no longer at {(old or 'nothing')[:10]}")
        if violation:
            raise self._refuse("pushed to", f"{violation}; {_join(push.error)}")
        raise self._describe("pushed to", push)

    def _read_ref(self, ref: str) -> CommitId | None:
        answer = self._ask("ls-remote", "--", self.url, ref)
        if answer.status:
            raise self._describe("read from", answer)
        rows = (line.split("\t") for line in answer.output.splitlines())
        return next((CommitId(row[0]) for row in rows if row[1:] == [ref]), None)

    def _ask(self, *arguments: str) -> GitResult:
        token = self._token if isinstance(self._token, str) else self._token()
        environ = authorise(self.url, token) if token else {}
        began = time.monotonic()
        answer = run_git(self._folder, *arguments, timeout=self._timeout, environ=environ)
        seconds = time.monotonic() - began
        self._listener(Exchange(arguments[0], seconds, is_done=answer.status == 0))
        return answer

    def _describe(self, what: str, answer: GitResult) -> ProvisioningError:
        if REFUSED.search(answer.error):
            return self._refuse(what, _join(answer.error))
        return RemoteUnreachable(
            f"{self.shown} cannot be {what}: {_join(answer.error)}",
            hint="check the network; run again when it answers",
        )

    def _refuse(self, what: str, reason: str) -> RemoteRefused:
        if self._token and NO_LOGIN.search(reason):
            reason = "the token is invalid: it is unknown, or was revoked"
        return RemoteRefused(
            f"{self.shown} cannot be {what}: {reason}",
            hint="check the token in the file of forge.token_file, its rights and scopes, and the "
            "branch's protection"
            if self._token
            else "check the URL, your rights and the branch's protection",
        )


def authorise(url: str, token: str) -> dict[str, str]:
    """Return the variables by which git authenticates to *url* with *token*, and nothing else.

    They come after those of the user. GIT_CONFIG_COUNT is of git 2.31; a forge accepts a token
    as the password of any name. Without credential helpers git fails on an invalid token, and
    tries no other credentials.
    """
    words = base64.b64encode(f"token:{token}".encode()).decode()
    settings = (
        (f"http.{url}.extraHeader", f"Authorization: Basic {words}"),
        ("credential.helper", ""),
        ("core.askPass", ""),
    )
    before = os.environ.get("GIT_CONFIG_COUNT", "")
    start = int(before) if before.isdecimal() else 0
    environ = {"GIT_CONFIG_COUNT": str(start + len(settings)), "GIT_ASKPASS": ""}
    for number, (key, value) in enumerate(settings, start):
        environ[f"GIT_CONFIG_KEY_{number}"] = key
        environ[f"GIT_CONFIG_VALUE_{number}"] = value
    return environ


def parse_rejection(output: str) -> str | None:
    """Return the rejection in the output of `git push --porcelain`; None if there is none.

    A line is `<flag> TAB <from>:<to> TAB <summary> (<reason>)`, with the flag `!` for a
    rejection: git-push(1).
    """
    rows = (line.split("\t") for line in output.splitlines() if line.startswith("!\t"))
    # "[remote failure]" means that the connection broke: that is no answer.
    return next((row[-1] for row in rows if "[remote failure]" not in row[-1]), None)


def is_lost_race(violation: str, error: str) -> bool:
    """Tell whether a push was rejected because somebody else wrote the same ref.

    With `--atomic` the rejection does not name the lock; the server's message does.
    """
    if "exists; cannot create" in error:  # a branch has the name of a folder that ours needs
        return False
    is_locked = "atomic transaction failed" in violation and "cannot lock ref" in error
    return is_locked or bool(STALE.search(violation))


def _join(text: str) -> str:
    """Return the relevant lines as one; of many, the first and the last."""
    lines = [line.strip() for line in text.splitlines() if re.search(r"\w", line)]
    lines = [line for line in lines if not ADVICE.search(line)]
    shown = lines if len(lines) <= MAX_LINES else lines[: MAX_LINES // 2] + lines[-MAX_LINES // 2 :]
    return "; ".join(shown) or "it gave no reason"


def check_url(url: str) -> str:
    """Return *url* if it is safe to pass to Git.

    Raises:
        InvalidConfiguration: If it is an option, or runs a program.
    """
    if url.startswith("-") or re.match(r"\w[\w+.-]*::", url):
        raise InvalidConfiguration(
            f"{mask_password(url)!r} is not the URL of a repository",
            hint="use https://, ssh://, git@host:path, file:// or a path",
        )
    return url
