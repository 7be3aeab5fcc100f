"""Which value wins, and what a layer may say."""

from __future__ import annotations

import pytest

from provisioning.config.registry import load_settings
from provisioning.core.model.errors import (
    InvalidArgument,
    InvalidConfiguration,
    Source,
    StorageFailed,
)

WORKSPACE = "config/provisioning.yaml"

EVERY_LAYER = {
    "user": "executor.max_attempts = 2",
    "files": {
        WORKSPACE: "environment: prod\nexecutor:\n  max_attempts: 3\n",
        "config/prod-defaults.toml": "[executor]\nmax_attempts = 4\n",
        "infra/web/config.toml": "[executor]\nmax_attempts = 6\n",
    },
    "infra": "web",
    "environ": {"PROVISIONING_EXECUTOR__MAX_ATTEMPTS": "7"},
    "flags": ["executor.max_attempts=8"],
}


def test_defaults_stand_alone(load):
    """Without any file every setting has its default."""
    layers = load()
    for each in load_settings().values():
        if each.type is not dict:
            assert layers.get(each.key).value == each.default


def test_a_mode_changes_defaults(load_workspace):
    """What a mode says lies above the table's defaults, and below what anybody wrote."""
    layers = load_workspace("mode: enterprise\ncommands: {hold: writers}")
    found = {key: layers.get(f"commands.{key}") for key in ("plan", "apply", "hold")}
    told = {key: (each.value, str(each.origin)) for key, each in found.items()}
    assert told == {
        "plan": ("writers", "defaults"),
        "apply": ("others", "mode enterprise"),
        "hold": ("writers", f"{WORKSPACE}:2"),
    }
    assert load_workspace("mode: enterprise", flags=["mode=solo"]).get("commands.apply").value == (
        "owners"
    )


@pytest.mark.parametrize(
    ("without", "value", "origin"),
    [
        ([], 8, "-c executor.max_attempts"),
        (["flags"], 7, "PROVISIONING_EXECUTOR__MAX_ATTEMPTS"),
        (["flags", "environ"], 6, "infra/web/config.toml:2"),
        (["flags", "environ", "infra"], 4, "config/prod-defaults.toml:2"),
    ],
)
def test_later_layers_win(load, without, value, origin):
    """Of all layers that set a key the last one wins, and is named with file and line."""
    found = load(**{k: v for k, v in EVERY_LAYER.items() if k not in without}).get(
        "executor.max_attempts"
    )
    assert (found.value, str(found.origin)) == (value, origin)


def test_workspace_wins_over_user(load, tmp_path):
    """The workspace wins over the user, who wins over the defaults."""
    both = load({WORKSPACE: "lock: {ttl: 60}"}, user="lock.ttl = 50\nserve.resync = 5")
    assert both.get("lock.ttl").value == 60
    assert both.get("serve.resync").value == 5
    assert str(both.get("serve.resync").origin) == f"{tmp_path}/config.user.toml:2"


def test_maps_merge_and_lists_replace(load):
    """Maps merge deeply by key; a list is replaced as a whole."""
    layers = load(
        {
            WORKSPACE: "values: {site: {port: 80, name: shop}, tags: [a, b]}",
            "infra/web/config.toml": 'values = {site = {port = 81}, tags = ["c"]}',
        },
        infra="web",
    )
    assert layers.merge()["values"] == {"site": {"port": 81, "name": "shop"}, "tags": ["c"]}


@pytest.mark.parametrize(
    ("low", "high", "merged"),
    [("{a: 1}", "a.b=2", {"a": {"b": 2}}), ("{a: {b: 2}}", "a=1", {"a": 1})],
)
def test_map_and_leaf_replace_each_other(load_workspace, low, high, merged):
    """Where one layer has a map and a later one a value, or the reverse, the later one wins."""
    layers = load_workspace(f"values: {low}", flags=[f"values.{high}"])
    assert layers.merge()["values"] == merged
    assert all(layers.get(key) for key in layers.list_keys())


def test_environment_is_chosen_by_a_flag(load):
    """A flag chooses the environment whose file is read."""
    files = {"config/test-defaults.toml": "serve.resync = 3"}
    assert load(files, flags=["environment=test"]).get("serve.resync").value == 3


@pytest.mark.parametrize(
    ("text", "line", "message", "hint"),
    [
        ("mode: solo\nlok: {ttl: 5}", 2, "there is no setting 'lok'", "did you mean 'lock'?"),
        ("lock:\n  tll: 60", 2, "there is no setting 'lock.tll'", "did you mean 'lock.ttl'?"),
        ("lock: 5", 1, "lock is 5, and must be a map of settings", None),
        ("- a", 1, "the whole is ['a'], and must be a map of settings", None),
        ("values: 3", 1, "values is 3, and must be a map of settings", None),
        ("\nlock: {ttl: soon}", 2, "must be a number of at least 10", "Seconds after which"),
        ("serve: {poll: 86401}", 1, "a number of at least 1 and at most 86400", "Seconds between"),
        ("lock: {ttl: 9}", 1, "lock.ttl is 9, and must be a number of at least 10", "Seconds"),
        ("lock: {ttl: true}", 1, "lock.ttl is True", "Seconds"),
        (
            "executor: {max_attempts: 1.5}",
            1,
            "must be a whole number of at least 1",
            "The most attempts",
        ),
        ("mode: sollo", 1, "one of solo, multi-user, cicd, enterprise", "did you mean 'solo'?"),
        ('mode: "{{env.MODE}}"', 1, "and must be one of solo", "The mode"),
        ("branch: null", 1, "branch is None, and must be a string", "The branch"),
        ("local: {allow: [1]}", 1, "local.allow is [1], and must be a list of strings", "Further"),
        ("environment: ../x", 1, "must be a name of small letters, digits", "The environment"),
        ('"lock.ttl": 60', 1, "the key 'lock.ttl' has a dot", "put maps into each other"),
        ("values: {a: {b.c: 1}}", 1, "the key 'b.c' has a dot", "put maps into each other"),
        ("mode: solo\n---\nmode: cicd", 3, "here begins another", "join them"),
        ("mode: [", 1, "", None),
        ("environment: prod", 1, "there is no config/prod-defaults.toml", "make config/prod"),
    ],
)
def test_bad_file_is_refused_with_its_line(load_workspace, text, line, message, hint):
    """A file that cannot be right gives one error with its line, what was expected, a hint."""
    with pytest.raises(InvalidConfiguration) as caught:
        load_workspace(text)
    assert caught.value.source == Source(WORKSPACE, line)
    assert message in caught.value.message
    assert hint is None or caught.value.hint.startswith(hint)


def test_toml_errors_have_lines_too(load):
    """An unknown key in TOML is refused with the line where it stands."""
    with pytest.raises(InvalidConfiguration) as caught:
        load({"infra/web/config.toml": "[lock]\n\nttll = 5"}, infra="web")
    assert caught.value.source == Source("infra/web/config.toml", 3)


@pytest.mark.parametrize(
    ("layer", "key"),
    [("infra", "workspace.id"), ("infra", "environment"), ("infra", "branch"), ("user", "remote")],
)
def test_some_settings_stand_in_few_layers(load, layer, key):
    """A setting that says where to look cannot stand in a file found by looking there."""
    texts = {layer: f'{key} = "x"'}
    files = {"infra/web/config.toml": texts.get("infra", "")}
    with pytest.raises(InvalidConfiguration, match="cannot be set here"):
        load(files, infra="web", user=texts.get("user"))


@pytest.mark.parametrize(
    "given",
    [{"environ": {"PROVISIONING_WORKSPACE__ID": "x"}}, {"flags": ["workspace.id=x"]}],
)
def test_identity_is_never_overridden(load, given):
    """The workspace's id, a part of every ownership mark, comes from its own file only."""
    with pytest.raises(InvalidConfiguration, match=r"workspace\.id cannot be set here"):
        load(**given)


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("executor.timeout=30", 30),
        ("branch=12", "12"),
        ("remote=null", None),
        ("remote=a=b", "a=b"),
        ('local.allow=["/srv"]', ["/srv"]),
        ("values.x=true", True),
        ("values.x=0644", "0644"),
        ('values.x="[a"', "[a"),
    ],
)
def test_flags_are_read_by_type(load, flag, value):
    """A string setting takes the text; others a plain scalar or JSON."""
    assert load(flags=[flag]).get(flag.partition("=")[0]).value == value


def test_flag_map_merges(load_workspace):
    """A map in a flag merges with what lower layers say."""
    layers = load_workspace("values: {a: {b: 1}}", flags=['values.a={"c": 2}'])
    assert layers.merge()["values"] == {"a": {"b": 1, "c": 2}}


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("lock.ttl", "-c lock.ttl has no value"),
        ("lock.ttl=.inf", "not finite"),
        ("lock.ttl=99999999999999999999999", "does not fit"),
        ("local.allow=[", "is not JSON"),
        ("values.x=" + "[" * 100_000, "is not JSON"),
        ("values=3", "must be a map"),
        ("lock=5", "must be a map"),
        ("=5", "empty"),
        ("values..x=5", "empty"),
    ],
)
def test_bad_flag_is_refused(load, flag, message):
    """A flag that cannot be right gives one error that says why."""
    with pytest.raises(InvalidConfiguration, match=message):
        load(flags=[flag])


def test_single_underscore_is_guessed(load):
    """A variable with one underscore for a dot is answered with the right spelling."""
    with pytest.raises(InvalidConfiguration) as caught:
        load(environ={"PROVISIONING_LOCK_TTL": "30"})
    assert caught.value.hint == "did you mean 'PROVISIONING_LOCK__TTL'?"


def test_home_is_no_setting(load):
    """`PROVISIONING_HOME` moves the home and is no setting."""
    load(environ={"PROVISIONING_HOME": "/x", "PATH": "/bin"})


@pytest.mark.parametrize("infra", ["../etc", "a/b", "", "Web"])
def test_infra_cannot_leave_its_folder(load, infra):
    """What is no infra's name is refused before any file is looked for."""
    with pytest.raises(InvalidArgument, match="cannot be an infra's name"):
        load(infra=infra)


def test_unreadable_user_file_is_told(load, tmp_path):
    """A user's file that cannot be read is an error, never as if there were none."""
    (tmp_path / "config.user.toml").mkdir()
    with pytest.raises(StorageFailed, match=r"config\.user\.toml cannot be read"):
        load()


def test_empty_group_says_nothing(load_workspace):
    """A group whose entries are all commented out leaves the defaults."""
    assert load_workspace("lock:\nvalues:\n").get("lock.ttl").value == 120
