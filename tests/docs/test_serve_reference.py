"""The page about the service says what the code says."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import click
import pytest

from provisioning.config.registry import load_settings
from provisioning.controller.events import RunProgress, ServiceEvent
from provisioning.core.scheduling.workqueue import QueueStatus, Topic, Urgency
from provisioning.interfaces.cli.setup.serve import serve
from provisioning.interfaces.schema import service
from provisioning.interfaces.service import daemon
from provisioning.interfaces.service.routes import build_admin, build_public
from provisioning.reconciler.events import Event, EventKind
from provisioning.reconciler.planning.plan_result import Conclusion

EVENTS = ServiceEvent.__subclasses__()
PAGE = (Path(__file__).parents[2] / "docs/reference/serve.md").read_text(encoding="utf-8")


def list_actions():
    """Return every action that the log knows."""
    yield from EventKind
    yield from (each.__struct_config__.tag for each in EVENTS if each is not RunProgress)
    yield from re.findall(r'action="([\w-]+)"', inspect.getsource(daemon))


def list_keys():
    """Return every key of the JSON that the admin socket answers, and of the log."""
    fields = {name for each in (*EVENTS, Event) for name in each.__struct_fields__}
    own = {"key", "event", "kind"}  # these become other keys
    return {
        *re.findall(r'"([a-z]\w+)":', inspect.getsource(service)),
        *(service.rename(name.removeprefix("is_")) for name in fields - own),
    } - {"action", "sentence"}


def list_routes():
    """Return every route of both listeners, as it is written for people."""
    for app in (build_public(*[None] * 5), build_admin(*[None] * 4)):
        for route in app.routes:
            method = "POST" if "POST" in route.methods else "GET"
            yield f"{method} {route.path}".replace("{workspace}", "WORKSPACE")


@pytest.mark.parametrize("option", serve.params, ids=lambda each: each.name)
def test_every_option_is_there(option):
    """By each of its names."""
    for name in option.opts:
        assert f"`{name}" in PAGE


@pytest.mark.parametrize("command", serve.commands.values(), ids=lambda each: each.name)
def test_every_command_is_there(command):
    """With its argument, and with the options that are not every command's."""
    row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{command.name}"))
    for each in command.params:
        if isinstance(each, click.Argument):
            assert "INFRA" in row
        elif each.opts[-1] not in {"--socket", "--output"}:
            assert f"`{each.opts[-1]}`" in row


@pytest.mark.parametrize("action", sorted(set(list_actions())))
def test_every_action_of_the_log_has_a_row(action):
    """One that nobody explains cannot be searched for."""
    rows = [line for line in PAGE.splitlines() if line.startswith("|")]
    assert any(f"`{action}`" in row.split("|")[1] for row in rows)


@pytest.mark.parametrize("key", sorted(list_keys()))
def test_every_key_is_there(key):
    """In the log's table, or in the shape of an answer."""
    assert f"`{key}`" in PAGE or f'"{key}"' in PAGE


@pytest.mark.parametrize("route", sorted(set(list_routes())))
def test_every_route_is_there(route):
    """With its method."""
    assert f"`{route}`" in PAGE or f"`{route}?infra=INFRA`" in PAGE


@pytest.mark.parametrize(
    "word",
    [*(each.name.lower() for each in Urgency), *QueueStatus, *(each.value for each in Conclusion)],
)
def test_every_word_of_an_answer_is_there(word):
    """Urgencies, statuses and conclusions."""
    assert f"`{word}`" in PAGE


@pytest.mark.parametrize("topic", Topic)
def test_every_topic_is_a_key_of_the_log(topic):
    """As the log writes it."""
    assert f"`{topic.replace(' ', '-')}`" in PAGE


@pytest.mark.parametrize(
    "key", [each.key for each in load_settings().values() if each.key.startswith("serve.")]
)
def test_every_setting_is_named(key):
    """What it means stands with all the others."""
    assert f"`{key}`" in PAGE


def test_no_option_is_promised_that_is_not_there():
    """Every `--option` of the page is one of `serve`, or of a command of it."""
    known = {
        name
        for command in (serve, *serve.commands.values())
        for each in command.params
        for name in each.opts
    }
    assert set(re.findall(r"`(?:-\w`, `)?(--[a-z-]+)", PAGE)) <= known
