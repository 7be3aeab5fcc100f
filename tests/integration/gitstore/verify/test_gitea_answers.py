"""What a real Gitea answers to a lock, each in words that say what to do."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import msgspec
import pytest
from entries import NOW, begin, make_lock, record

from provisioning.core.model.errors import HeadMoved, ProvisioningError, RemoteRefused
from provisioning.core.model.redaction import Redactor
from provisioning.core.statelog.entries import compute_hold, compute_release, compute_renewal
from provisioning.core.statelog.transitions import LogView
from provisioning.forges.gitea.api import GiteaApi
from provisioning.forges.gitea.contents import GiteaContents
from provisioning.forges.tokens import TokenFile
from provisioning.gitstore.repository.remote import Remote
from provisioning.locks.gitea_lock import ContentsStateLog

pytestmark = [pytest.mark.peer("gitea"), pytest.mark.xdist_group("gitea-faults")]

PROTECTION = {"rule_name": "provisioning/**", "enable_push": False}


@dataclass
class Site:
    """A repository at Gitea, and the file of the token that it is written with."""

    server: object
    folder: Path
    repository: str
    numbers: count
    apis: list

    def set_token(self, token):
        self.path.write_text(token)
        self.path.chmod(0o600)

    @property
    def path(self):
        return self.folder / "token"

    def open_log(self, repository=None):
        repository = repository or self.repository
        token = TokenFile(self.path, self.folder / "shop", Redactor()).read
        mirror = self.folder / f"mirror-{next(self.numbers)}.git"
        remote = Remote(f"{self.server.url}/{repository}.git", mirror, token=token)
        api = GiteaApi(self.server.url, token)
        self.apis.append(api)
        contents = GiteaContents(api, repository)
        return ContentsStateLog(
            remote.mirror, "web", remote=remote, author="Ada", contents=contents
        )

    def call(self, method, path, body=None, expected=(200, 201, 202, 204)):
        status, told = self.server.call(method, f"/repos/{self.repository}{path}", body)
        assert status in expected, told
        return told

    def read_head(self):
        told = self.call("GET", "/branches/provisioning%2Fweb")
        return told["commit"]["id"]


@pytest.fixture
def site(gitea, tmp_path):
    site = Site(gitea, tmp_path, gitea.create_repository(), count(), [])
    site.set_token(gitea.token)
    yield site
    for api in site.apis:
        api.close()


def hold(log, view):
    return log.append(view, compute_hold(view, make_lock(view, None)))


def release(log, view):
    return log.append(view, compute_release(view, "ada"))


def prepare(site):
    """Return a log that is free, and not new any more."""
    log = site.open_log()
    return log, record(log, begin(log, log.read()))


def push(log, view):
    """Write what a run's record is written by."""
    return record(log, view)


def refuse(site, act, log, view):
    """Return what the refusal says; nothing was written, and no token is told."""
    head = site.read_head()
    with pytest.raises(RemoteRefused) as caught:
        act(log, view)
    told = f"{caught.value.message} -> {caught.value.hint}"
    assert site.path.read_text() not in told
    assert site.read_head() == head
    return told


def revoke(site):
    site.set_token("0123456789abcdef0123456789abcdef01234567")


def limit(site):
    site.set_token(site.server.create_token("ops", "read:repository"))


def become_stranger(site):
    user = site.server.create_user(f"stranger{next(site.numbers)}-{site.repository[4:]}")
    site.set_token(site.server.create_token(user))


def protect(site):
    site.call("POST", "/branch_protections", PROTECTION)


def archive(site):
    site.call("PATCH", "", {"archived": True})


def delete(site):
    site.call("DELETE", "")
    site.read_head = lambda: None


REFUSALS = {
    "revoked": (revoke, "401 invalid username, password or token", "the token is invalid"),
    "read-only token": (limit, "403 token does not have .* scope", "returned error: 403"),
    "no right": (become_stranger, "403 user should have a permission", "User permission denied"),
    "protected": (protect, "403 user cannot commit to repo", "Not allowed to push to protected"),
    "archived": (archive, "423 .* -> the repository is archived", "This repo is archived"),
    "gone": (delete, "404 .* -> check forge.repository", "Push to create is not"),
}


@pytest.mark.parametrize(("spoil", "to_call", "to_push"), REFUSALS.values(), ids=REFUSALS)
def test_a_no_is_told_with_the_next_step(site, spoil, to_call, to_push):
    """To a call and to a push: Gitea's own words, what to look at, and nothing was written."""
    log = site.open_log()
    view = begin(log, log.read())
    spoil(site)
    assert re.search(to_call, told := refuse(site, renew, log, view)), told
    assert re.search(to_push, told := refuse(site, push, log, view)), told
    with pytest.raises(ProvisioningError) as caught:
        site.open_log("ops/never-there").read()
    assert caught.value.hint


def renew(log, view):
    lock = msgspec.structs.replace(view.lock, renewed_at="2030-01-01T00:01:00Z")
    return log.append(view, compute_renewal(lock, view.begin, extended=False))


def test_a_rotated_token_counts_at_once(site):
    """The file is read for each call and each push, so a run outlives the rotation."""
    old, new = site.server.create_token("ops"), site.server.create_token("ops")
    site.set_token(old)
    log = site.open_log()
    view = begin(log, log.read())
    assert site.server.revoke_token(old)
    told = refuse(site, renew, log, view)
    assert "make a new one" in told
    site.set_token(new)
    view = record(log, renew(log, view))
    assert site.read_head() == view.head


@pytest.mark.parametrize("move", ["renamed", "transferred"])
def test_a_repository_that_moved_is_told_and_a_run_still_records(site, move):
    """A call says where it went; a push follows, so that a run under way is recorded there."""
    log = site.open_log()
    view = begin(log, log.read())
    if move == "renamed":
        new = f"ops/re{site.repository[4:]}"
        site.call("PATCH", "", {"name": new[4:]})
    else:
        team = f"team-{site.repository[4:]}"
        status, _ = site.server.call("POST", "/orgs", {"username": team})
        assert status == 201
        site.call("POST", "/transfer", {"new_owner": team})
        new = f"{team}/{site.repository[4:]}"
    with pytest.raises(RemoteRefused, match=r"it has moved to .*contents") as caught:
        renew(log, view)
    assert "set forge.url and forge.repository" in caught.value.hint
    done = record(log, view)
    assert site.open_log(new).read() == done


def test_a_branch_that_was_deleted_is_a_lost_race(site):
    """Who holds a lock on a state log that is gone does not write a new one."""
    log = site.open_log()
    view = begin(log, log.read())
    site.call("DELETE", "/branches/provisioning%2Fweb")
    with pytest.raises(HeadMoved):
        renew(log, view)
    assert log.read() == LogView()


def test_an_empty_repository_takes_the_first_run(gitea, site):
    """The first entry makes the branch, in a repository without any commit, too."""
    site.repository = gitea.create_repository(auto_init=False)
    log, _ = prepare(site)
    view = release(log, hold(log, log.read()))
    assert site.read_head() == view.head


@pytest.mark.parametrize("act", [begin, hold])
def test_of_two_on_one_head_the_second_is_told_that_it_lost(site, act):
    """422 or 403, whichever Gitea says: it is a lost race, and nothing was written."""
    log, view = prepare(site)
    winner = begin(site.open_log(), view, 5)
    with pytest.raises(HeadMoved):
        act(log, view)
    assert site.read_head() == winner.head


def test_gitea_shows_who_holds_the_lock_since_when_and_why(site):
    """Its pages show the file and the message: read here by what feeds them."""
    log, view = prepare(site)
    held = hold(log, view)
    told = site.call("GET", "/contents/lock.json?ref=provisioning%2Fweb")
    shown = json.loads(base64.b64decode(told["content"]))
    assert shown["holder"] == {"user": "ada", "host": "host"} | shown["holder"]
    assert (shown["reason"], shown["acquired_at"], shown["token"]) == ("why", NOW, 2)
    newest, *_ = site.call("GET", "/commits?sha=provisioning%2Fweb")
    assert newest["sha"] == held.head
    assert newest["commit"]["message"].startswith("hold 2 by ada: why\n\nFencing-Token: 2\n")
    assert newest["commit"]["author"]["name"] == "Ada"
    release(log, held)
    site.call("GET", "/contents/lock.json?ref=provisioning%2Fweb", expected=(404,))


def test_a_forge_that_signs_makes_the_same_entry(signing_gitea, tmp_path):
    """Its commit has another id than ours; it is fetched, known again, and gone on from."""
    site = Site(signing_gitea, tmp_path, signing_gitea.create_repository(), count(), [])
    site.set_token(signing_gitea.token)
    log, view = prepare(site)
    held = begin(log, view)
    assert site.read_head() == held.head
    told = site.call("GET", "/commits?sha=provisioning%2Fweb&verification=true")[0]
    assert told["commit"]["verification"]["signature"].startswith("-----BEGIN SSH SIGNATURE")
    done = record(log, renew(log, held))
    assert done == site.open_log().read()
    for api in site.apis:
        api.close()
