import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from provisioning.core.model.errors import HeadMoved, RemoteRefused, RemoteUnreachable
from provisioning.gitstore.objects.object_writer import ObjectWriter

DRIFT = "refs/heads/provisioning-drift/web/File-motd"
REF = "refs/heads/provisioning/web"
MAIN = "refs/heads/main"

CUT_OFF_BEFORE = 'kill -9 "$PPID"'
"""As pre-receive: the server dies before anything has changed."""

CUT_OFF_AFTER = '[ "$1" = committed ] && kill -9 "$PPID"; exit 0'
"""As reference-transaction: the ref has moved, and the server dies before it says so."""


def test_fetch_follows_the_remote(served, connect):
    """What the remote has is here after a fetch: new commits, and the absence of what is gone."""
    remote = connect(served.url)
    first = served.commit(MAIN, "1")
    remote.fetch(MAIN, "refs/heads/provisioning/*")
    assert remote.mirror.read_ref(MAIN) == first
    served.commit(REF)
    second = served.commit(MAIN, "2")
    remote.fetch(MAIN, "refs/heads/provisioning/*")
    assert remote.mirror.read_ref(MAIN) == second
    assert remote.mirror.read_ref(REF)
    served.git("update-ref", "-d", REF)
    remote.fetch(MAIN, "refs/heads/provisioning/*")
    assert remote.mirror.read_ref(REF) is None


def test_missing_branch_is_no_failure(served, connect):
    """A branch that is not there is absent after the fetch; the others are fetched all the same."""
    remote = connect(served.url)
    main = served.commit(MAIN)
    remote.fetch("refs/heads/gone", MAIN, "refs/heads/too")
    assert remote.mirror.read_ref(MAIN) == main
    served.git("update-ref", "-d", MAIN)
    remote.fetch(MAIN)
    assert remote.mirror.read_ref(MAIN) is None


def test_push_moves_the_ref(served, connect, write):
    """A push creates the ref, then moves it; another machine sees each."""
    one, other = connect(served.url), connect(served.url)
    first = write(one, None, "1")
    one.push(REF, first, None)
    second = write(one, first, "2")
    one.push(REF, second, first)
    assert served.read(REF) == second == one.mirror.read_ref(REF)
    other.fetch(REF)
    assert [commit.id for commit in other.mirror.read_history(second)] == [second, first]


def test_a_mirror_in_which_much_lies_loose_is_packed(served, connect, write):
    """Fetches pack it, what no ref names stays, and a writer goes on as if nothing were."""
    remote = connect(served.url)
    first, loose = write(remote, None, "1"), write(remote, None, "loose")
    remote.push(REF, first, None)
    mirror = remote.mirror.folder
    many = ObjectWriter(mirror / "objects")
    for number in range(1000):
        many.add("blob", b"%d\n" % number)
    many.write()
    remote.fetch(REF)
    assert len(list(mirror.glob("objects/pack/*.pack"))) == 1
    remote.fetch(REF)  # what is in a pack goes with the next one
    assert not (mirror / "objects" / first[:2] / first[2:]).exists()
    assert remote.mirror.has_object(loose)
    second = write(remote, first, "2")
    remote.push(REF, second, first)
    assert remote.mirror.read_ref(REF) == second == served.read(REF)
    assert [each.id for each in remote.mirror.read_history(second)] == [second, first]


def test_stale_push_never_lands(served, connect, write):
    """A push on top of a head that has moved is refused, whether it was made or deleted since."""
    one, other = connect(served.url), connect(served.url)
    first = write(one, None, "1")
    one.push(REF, first, None)
    with pytest.raises(HeadMoved):
        other.push(REF, write(other, None, "other"), None)
    second = write(one, first, "2")
    served.git("update-ref", "-d", REF)
    with pytest.raises(HeadMoved):
        one.push(REF, second, first)
    assert served.read(REF) is None


def test_one_of_many_pushes_wins(served, connect, write):
    """Of eight pushes at once onto one head exactly one lands, each time, and the rest know it."""
    remotes = [connect(served.url) for _ in range(8)]
    head = None
    for turn in range(3):
        start = threading.Barrier(len(remotes))

        def push(numbered, turn=turn, head=head, start=start):
            number, remote = numbered
            if head:
                remote.fetch(REF)
            new = write(remote, head, f"{turn} {number}")
            start.wait()
            try:
                remote.push(REF, new, head)
            except HeadMoved:
                return None
            return new

        with ThreadPoolExecutor(len(remotes)) as pool:
            winners = [new for new in pool.map(push, enumerate(remotes)) if new]
        assert winners == [served.read(REF)]
        head = winners[0]


def test_fetches_into_one_mirror_at_once(served, connect):
    """Several fetches into one mirror at once all succeed."""
    remote = connect(served.url)
    remote.fetch(MAIN)
    head = served.commit(MAIN)
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: remote.fetch(MAIN, "refs/heads/provisioning/*"), range(6)))
    assert remote.mirror.read_ref(MAIN) == head


def test_refusal_is_told_in_the_server_s_words(served, connect, write):
    """What a hook declines is refused for good, with what the hook said, and nothing changes."""
    served.hook("pre-receive", "echo 'state logs are frozen until Monday' >&2; exit 1")
    remote = connect(served.url)
    with pytest.raises(RemoteRefused, match="frozen until Monday") as caught:
        remote.push(REF, write(remote, None, "1"), None)
    assert "hook declined" in caught.value.message
    assert served.read(REF) is None


def test_server_killed_before_it_wrote(served, connect, write):
    """A server that dies before it wrote is unreachable; the same push succeeds later."""
    served.hook("pre-receive", CUT_OFF_BEFORE)
    remote = connect(served.url)
    new = write(remote, None, "1")
    with pytest.raises(RemoteUnreachable):
        remote.push(REF, new, None)
    assert served.read(REF) is None
    (served.folder / "hooks" / "pre-receive").unlink()
    remote.push(REF, new, None)
    assert served.read(REF) == new


def test_lost_answer_is_looked_up(served, connect, write):
    """A push whose answer was lost succeeded if the remote has it."""
    served.hook("reference-transaction", CUT_OFF_AFTER)
    remote = connect(served.url)
    new = write(remote, None, "1")
    remote.push(REF, new, None)
    assert served.read(REF) == new == remote.mirror.read_ref(REF)


def test_lost_answer_that_cannot_be_looked_up(served, connect, write):
    """Where the answer is lost and the remote is gone, it is unknown, and said so."""
    gone = served.folder.with_name("moved.git")
    served.hook(
        "reference-transaction",
        f'[ "$1" = committed ] && mv {served.folder} {gone} && kill -9 "$PPID"; exit 0',
    )
    remote = connect(served.url)
    with pytest.raises(RemoteUnreachable, match="unknown whether") as caught:
        remote.push(REF, write(remote, None, "1"), None)
    assert caught.value.retryable


def test_wrong_path_is_refused(served, connect):
    """A path without a repository is a "no" that names the URL."""
    with pytest.raises(RemoteRefused, match=r"nowhere\.git") as caught:
        connect(served.url.replace("shop.git", "nowhere.git")).fetch(MAIN)
    assert caught.value.hint


def test_server_that_is_down_is_unreachable(served_by_http, connect, write):
    """A server that does not listen is unreachable, for reading and for writing."""
    remote = connect(served_by_http.url)
    served_by_http.stop()
    with pytest.raises(RemoteUnreachable):
        remote.fetch(MAIN)
    with pytest.raises(RemoteUnreachable):
        remote.push(REF, write(remote, None, "1"), None)


@pytest.mark.peer("git-http-backend")
def test_password_is_asked_of_nobody_and_told_to_nobody(served_by_http, connect):
    """A wrong password is refused at once, without a prompt, and stands in no message."""
    served_by_http.protect("Basic right")
    url = served_by_http.url.replace("//", "//ana:hunter2@")
    with pytest.raises(RemoteRefused) as caught:
        connect(url).fetch(MAIN)
    assert "hunter2" not in f"{caught.value} {caught.value.hint}"
    assert "//***@127" in caught.value.message


@pytest.mark.peer("sshd")
def test_wrong_host_key_is_refused(served_by_ssh, connect, tmp_path):
    """A server that shows another key than the known one is refused, not trusted."""
    known = tmp_path / "keys" / "known_hosts"
    other = (tmp_path / "keys" / "user.pub").read_text()
    known.write_text(f"{known.read_text().split()[0]} {other}")
    with pytest.raises(RemoteRefused, match="Host key verification failed"):
        connect(served_by_ssh.url).fetch(MAIN)


@pytest.mark.peer("sshd")
def test_unknown_user_key_is_refused(served_by_ssh, connect, tmp_path):
    """A key the server does not know is refused."""
    (tmp_path / "keys" / "user.pub").write_text("")
    with pytest.raises(RemoteRefused, match="Permission denied"):
        connect(served_by_ssh.url).fetch(MAIN)


def test_nothing_but_our_branches_is_pushed(served_by_file, connect, write):
    """Neither a foreign branch nor unrelated history is pushed, whatever the lease would allow."""
    main = served_by_file.commit(MAIN)
    remote = connect(served_by_file.url)
    remote.fetch(MAIN)
    new = write(remote, None, "1")
    remote.push(REF, new, None)
    with pytest.raises(AssertionError, match="not ours"):
        remote.push(MAIN, new, main)
    with pytest.raises(AssertionError, match="does not follow"):
        remote.push(REF, write(remote, None, "2"), new)
    assert (served_by_file.read(MAIN), served_by_file.read(REF)) == (main, new)


def test_a_drift_s_branch_is_written_anew_and_deleted(served_by_file, connect, write):
    """It needs no ancestry, but who read another head than is there changes nothing."""
    one, other = connect(served_by_file.url), connect(served_by_file.url)
    first, second = write(one, None, "1"), write(one, None, "2")
    one.push(DRIFT, first, None)
    other.fetch(DRIFT)
    one.push(DRIFT, second, first)
    assert served_by_file.read(DRIFT) == second
    with pytest.raises(HeadMoved):
        other.push(DRIFT, write(other, None, "3"), first)
    with pytest.raises(HeadMoved):
        other.delete(DRIFT, first)
    assert served_by_file.read(DRIFT) == second
    one.delete(DRIFT, second)
    assert served_by_file.read(DRIFT) is one.mirror.read_ref(DRIFT) is None
    with pytest.raises(AssertionError, match="not ours"):
        one.delete(REF, first)


def test_lock_that_is_taken_there_is_a_lost_race(served_by_file, connect, write):
    """A ref that somebody is about to write there reads as moved, so that it is read again."""
    remote = connect(served_by_file.url)
    (served_by_file.folder / "refs/heads/provisioning").mkdir(parents=True)
    (served_by_file.folder / "refs/heads/provisioning/web.lock").touch()
    with pytest.raises(HeadMoved):
        remote.push(REF, write(remote, None, "1"), None)


def test_branch_in_the_way_there_is_named(served_by_file, connect, write):
    """A branch named `provisioning` there leaves no room for ours: a "no" that names it."""
    served_by_file.commit("refs/heads/provisioning")
    remote = connect(served_by_file.url)
    with pytest.raises(RemoteRefused, match="'refs/heads/provisioning' exists"):
        remote.push(REF, write(remote, None, "1"), None)


def test_ref_is_found_by_its_whole_name(served_by_file, connect, write):
    """A ref whose name only ends alike is not taken for the one that is looked up."""
    decoy = served_by_file.commit(f"refs/decoy/{REF}")
    served_by_file.hook("reference-transaction", CUT_OFF_AFTER)
    remote = connect(served_by_file.url)
    new = write(remote, None, "1")
    remote.push(REF, new, None)
    assert served_by_file.read(REF) == new != decoy
