"""Kinds of several groups, providers and instances."""

from types import SimpleNamespace

import pytest

from provisioning.core.model.kinds import Kind, build_kinds, find_kind, get_kind


def build_kind(provider, *, name="Server", group="provisioning/v1", type_=""):
    return Kind(
        name=name,
        provider=provider,
        provider_type=type_,
        summary="A server.",
        model=lambda: None,
        api_version=group,
    )


def build_subject(provider, *, kind="Server", group="provisioning/v1", type_=""):
    return SimpleNamespace(api_version=group, kind=kind, provider=provider, provider_type=type_)


AWS, WEST = build_kind("aws"), build_kind("aws-west", type_="aws")
UPCLOUD = build_kind("upcloud")
QUEUE = build_kind("aws", name="Queue", group="aws.provisioning/v1")


def test_one_name_in_two_groups_is_two_kinds():
    """The group is a part of the key."""
    kinds = build_kinds([AWS, build_kind("acme", group="acme/v1")])
    assert find_kind(kinds, build_subject("aws")) is AWS
    found = find_kind(kinds, build_subject("acme", group="acme/v1"))
    assert (found.provider, found.rivals) == ("acme", ())


def test_instances_of_one_provider_are_no_rivals():
    """The first is the default, and each is found by its name."""
    kinds = build_kinds([AWS, WEST])
    assert kinds["Server"] is AWS
    assert find_kind(kinds, build_subject("aws-west", type_="aws")) is WEST


def test_two_providers_of_one_kind_are_rivals():
    """A manifest that names neither could mean each."""
    kinds = build_kinds([AWS, WEST, UPCLOUD, build_kind("upcloud-de", type_="upcloud")])
    assert kinds["Server"].rivals == ("upcloud",)
    assert find_kind(kinds, build_subject("upcloud")) is UPCLOUD


@pytest.mark.parametrize("order", [(AWS, UPCLOUD), (UPCLOUD, AWS)])
def test_an_instance_that_is_no_more_is_served_by_its_provider(order):
    """Its records say which provider it was of."""
    kinds = build_kinds(order)
    gone = build_subject("aws-south", type_="aws")
    assert find_kind(kinds, gone).provider == "aws"
    assert find_kind(kinds, build_subject("acme-one", type_="acme")) is None
    with pytest.raises(KeyError, match="acme-one:Server"):
        get_kind(kinds, build_subject("acme-one"))


def test_a_kind_of_no_provider_is_not_found():
    """Neither is one of another group."""
    kinds = build_kinds([QUEUE])
    assert find_kind(kinds, build_subject("aws", kind="Queue")) is None
