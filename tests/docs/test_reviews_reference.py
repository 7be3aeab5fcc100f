"""The page about reviews says what the code says."""

from pathlib import Path

import pytest

from provisioning.core.reviews.codeowners import PATHS
from provisioning.core.reviews.commands import HELP_TEXTS, Verb
from provisioning.forges.setup.facts import SCOPES
from provisioning.reconciler.reviews.publisher import LABELS

PAGE = (Path(__file__).parents[2] / "docs/reference/reviews.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("verb", Verb)
def test_every_command_is_there(verb):
    """Each with what `/provisioning help` says of it, where it has a row of its own."""
    assert f"`{verb}`" in PAGE
    has_row = f"| `{verb}` |" in PAGE and verb is not Verb.HELP
    assert not has_row or HELP_TEXTS[verb] in PAGE


@pytest.mark.parametrize(("label", "meaning"), LABELS.items())
def test_every_label_is_there(label, meaning):
    """With the description that it gets."""
    assert f"| `{label}` | {meaning} |" in PAGE


@pytest.mark.parametrize("word", [*SCOPES, *PATHS])
def test_what_people_must_type_is_there(word):
    """Scopes of the token, and places of the owners' file."""
    assert f"`{word}`" in PAGE
