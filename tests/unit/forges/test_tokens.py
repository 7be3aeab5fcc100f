import pytest

from provisioning.core.model.errors import InvalidConfiguration
from provisioning.core.model.redaction import Redactor
from provisioning.forges.gitea.api import GiteaApi
from provisioning.forges.tokens import TokenFile

SECRET = "0123456789abcdef"


@pytest.fixture
def token(tmp_path):
    """A token file that is as it should be."""
    (tmp_path / "shop").mkdir()
    path = tmp_path / "token"
    path.write_text(f"{SECRET}\n")
    path.chmod(0o600)
    return TokenFile(path, tmp_path / "shop", Redactor())


def test_a_token_is_read_anew_and_never_shown(token):
    """What is in the file now counts; the redactor knows each."""
    assert token.read() == SECRET
    token.path.write_text("another-token")
    assert token.read() == "another-token"
    assert token.redactor.redact(f"{SECRET} another-token") == "*** ***"
    assert SECRET not in repr(token)


def make_public(token):
    token.path.chmod(0o644)


def make_folder(token):
    token.path.unlink()
    token.path.mkdir()


def link_inside(token):
    inside = token.repository / "token"
    token.path.rename(inside)
    token.path.symlink_to(inside)


@pytest.mark.parametrize(
    ("spoil", "told", "hint"),
    [
        (lambda token: token.path.unlink(), "No such file", "make a token"),
        (make_public, "can be read by everybody", "chmod 600"),
        (make_folder, "is not a plain file", "name a file"),
        (link_inside, "is inside of the repository", "move it out"),
        (lambda token: token.path.write_text(f"{SECRET}\nb"), "holds no token", "alone"),
        (lambda token: token.path.write_bytes(SECRET.encode() + b"\xff"), "holds no token", ""),
        (lambda token: token.path.write_text("\n"), "holds no token", ""),
    ],
    ids=["missing", "public", "folder", "inside by a link", "two lines", "not a letter", "empty"],
)
def test_a_bad_token_file_is_one_clear_error(token, spoil, told, hint):
    """The message names the file and the next step, and shows nothing of what is in it."""
    spoil(token)
    with pytest.raises(InvalidConfiguration) as caught:
        token.read()
    assert told in caught.value.message
    assert str(token.path) in caught.value.message
    assert hint in caught.value.hint
    assert SECRET not in str(caught.value) + caught.value.hint


@pytest.mark.parametrize(
    "url", ["", "git.example.org", "ftp://a", "https://u:p@a", "https://a/?q", "https://a b"]
)
def test_an_address_that_is_none_is_refused(url):
    """A password in the address is not repeated."""
    with pytest.raises(InvalidConfiguration) as caught:
        GiteaApi(url, SECRET)
    assert "u:p" not in str(caught.value)


def test_a_token_that_is_none_is_refused():
    """A line break in a header would be in somebody else's message."""
    with pytest.raises(InvalidConfiguration) as caught:
        GiteaApi("https://git.example.org", f"{SECRET}\n")
    assert SECRET not in str(caught.value)
