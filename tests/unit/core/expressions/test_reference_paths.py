import pytest

from provisioning.core.expressions.reference_paths import find_ways, is_related

SETTINGS = {
    "values.url": ["config.values.login.user", "secrets.db.password", "env.HOST"],
    "values.login.user": ["secrets.db.user"],
    "values.ring.one": ["config.values.ring.other"],
    "values.ring.other": ["config.values.ring.one", "secrets.far.word"],
}


@pytest.mark.parametrize(
    ("reference", "ways"),
    [
        ("secrets.db.user", {}),
        ("config.values.plain", {}),
        (
            "config.values.url",
            {
                "config.values.login.user": ("config.values.url",),
                "secrets.db.password": ("config.values.url",),
                "env.HOST": ("config.values.url",),
                "secrets.db.user": ("config.values.url", "config.values.login.user"),
            },
        ),
        ("config.values.login", {"secrets.db.user": ("config.values.login.user",)}),
        (
            "config.values.ring.one",
            {
                "config.values.ring.other": ("config.values.ring.one",),
                "secrets.far.word": ("config.values.ring.one", "config.values.ring.other"),
            },
        ),
    ],
)
def test_a_reference_reads_what_its_settings_refer_to(reference, ways):
    """A map is all that lies in it; a ring comes to its end."""
    assert find_ways(reference, SETTINGS) == {reference: (), **ways}


@pytest.mark.parametrize(
    ("one", "other", "related"),
    [("a.b", "a.b", True), ("a", "a.b", True), ("a.b", "a", True), ("a.b", "a.bc", False)],
)
def test_names_are_related_if_one_lies_in_the_other(one, other, related):
    """A dot ends a name."""
    assert is_related(one, other) is related
