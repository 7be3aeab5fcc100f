"""Whatever a command prints goes through the redactor, whichever way it is printed."""

import io
import sys
import traceback
from contextlib import redirect_stderr, redirect_stdout

import click
import pytest
import yaml

from provisioning.core.model.redaction import Redactor
from provisioning.interfaces.cli.session import _RedactedStream, print_shape

SECRET = "correct horse/battery=stäple"


@pytest.fixture(params=["utf-8", "ascii"])
def capture(request):
    """Call something with a redacted terminal of this encoding; return what it has written."""

    def run(way):
        raw = io.BytesIO()
        stream = _RedactedStream(io.TextIOWrapper(raw, request.param), Redactor([SECRET]).redact)
        with redirect_stdout(stream), redirect_stderr(stream):
            way()
        stream.flush()
        return raw.getvalue().decode(request.param)

    return run


def fail():
    raise ValueError(SECRET)


def print_traceback():
    try:
        fail()
    except ValueError:
        traceback.print_exc()


def call_hook():
    try:
        fail()
    except ValueError:
        sys.excepthook(*sys.exc_info())


WAYS = {
    "echo": lambda: click.echo(f"so: {SECRET} ü"),
    "echo to stderr": lambda: click.echo(f"so: {SECRET}", err=True),
    "print": lambda: print("so:", SECRET),  # noqa: T201
    "writelines": lambda: sys.stdout.writelines(["so:", SECRET, "\n"]),
    "a traceback": print_traceback,
    "an error that nobody handles": call_hook,
    "JSON": lambda: print_shape({"x": SECRET}, "json"),
    "YAML": lambda: print_shape({"x": f"{'word ' * 20}{SECRET}"}, "yaml"),
}


@pytest.mark.parametrize("way", WAYS)
def test_no_way_of_printing_tells_a_secret(way, capture):
    text = capture(WAYS[way])
    assert "***" in text
    assert "battery" not in text


def test_a_text_is_never_folded_within_a_secret(capture):
    text = capture(lambda: print_shape({"x": f"{'word ' * 14}{SECRET}"}, "yaml"))
    assert yaml.safe_load(text)["x"].endswith(" ***")


def test_there_is_no_way_around_the_redactor(capture):
    assert capture(lambda: click.echo(hasattr(sys.stdout, "buffer"))) == "False\n"
