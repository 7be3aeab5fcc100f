import pytest

from provisioning.config.parse_cache import parse_once
from provisioning.core.formats.yaml import parse_yaml
from provisioning.core.model.errors import InvalidManifest

TEXT = b"mode: solo\nlocal:\n  allow: [a, 1.5, null, true]\n"


@pytest.fixture
def parse(tmp_path):
    parsed = []

    def count(data, path):
        parsed.append(path)
        return parse_yaml(data, path)

    def parse(data, path="a.yaml"):
        return parse_once(count, data, path, tmp_path), len(parsed)

    return parse


@pytest.mark.parametrize("text", [TEXT, b"", b"- 1\n---\n- {x: y}\n"])
def test_the_same_content_is_parsed_once(parse, text):
    """What is remembered is what the parser said, with the line of each place."""
    first, count = parse(text)
    assert (first, count) == (parse_yaml(text, "a.yaml"), 1)
    assert parse(text) == (first, 1)
    assert parse(text + b"# other\n")[1] == 2


def test_another_format_is_another_content(parse):
    """The same bytes mean something else in a file of another kind."""
    parse(TEXT, "a.yaml")
    assert parse(TEXT, "a.yml")[1] == 2


def test_an_error_is_not_remembered(parse):
    """Asking again gives the same error, not silence."""
    for _ in range(2):
        with pytest.raises(InvalidManifest):
            parse(b"a: [")


@pytest.mark.parametrize("garbage", [b"", b"\x93", b"\x91\x93\x01\xc1\x90", b"\x91\x92\x01\x02"])
def test_damage_is_parsed_again(parse, tmp_path, garbage):
    """A cache is only a shortcut: garbage in it changes nothing."""
    first, _ = parse(TEXT)
    (file,) = tmp_path.iterdir()
    file.write_bytes(garbage)
    assert parse(TEXT) == (first, 2)


def test_a_place_that_cannot_be_written_costs_only_the_shortcut(tmp_path):
    """Whoever has no home can read settings all the same."""
    nowhere = tmp_path / "file" / "below"
    (tmp_path / "file").touch()
    assert parse_once(parse_yaml, TEXT, "a.yaml", nowhere) == parse_yaml(TEXT, "a.yaml")
