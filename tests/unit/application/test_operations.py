"""The table of operations says what its functions say."""

from __future__ import annotations

import inspect

import pytest

from provisioning.application.context import Caller, Context
from provisioning.application.operations import BY_NAME, OPERATIONS, Effect, call, find_operation
from provisioning.core.model.errors import InvalidArgument
from provisioning.core.model.kinds import build_kinds
from provisioning.interfaces.cli.main import COMMANDS
from provisioning.providers.registry import list_kinds


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_an_operation_is_what_its_function_takes(operation):
    """The function takes the request and a context, and the request finds the operation."""
    parameters = inspect.signature(operation.load()).parameters
    assert [it.annotation for it in parameters.values()] == [operation.request, "Context"]
    assert find_operation(operation.load_request()) is operation


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_an_operation_answers_as_its_request_says(operation):
    """The parameter of the request's type is the type that the function returns."""
    (base,) = operation.load_request().__orig_bases__
    (result,) = base.__args__
    wanted = str(inspect.signature(operation.load()).return_annotation)
    shown = getattr(result, "__forward_arg__", None) or getattr(result, "__name__", "")
    assert (shown if result is not type(None) else "None") in wanted


def test_names_are_unique_and_summaries_are_sentences():
    """Each use case stands in the table once, with one sentence of help."""
    assert len(BY_NAME) == len(OPERATIONS)
    assert all(operation.summary.endswith(".") for operation in OPERATIONS)


def test_a_command_of_an_operation_has_its_summary():
    """The command line reads the table."""
    for name, (_, summary) in COMMANDS.items():
        assert name not in BY_NAME or summary == BY_NAME[name].summary


def test_only_reading_operations_need_no_approval():
    """An interface that may not act leaves out what applies, holds or records."""
    acting = {operation.name for operation in OPERATIONS if operation.effect is Effect.ACT}
    assert {"apply", "reconcile", "lock-steal", "forget", "import", "adopt", "gc"} <= acting
    assert {"plan", "status", "why"}.isdisjoint(acting)


def test_a_call_needs_no_command_line():
    """Any interface calls with a request and a context, and gets values or an error of ours."""
    request = BY_NAME["schema"].load_request()
    context = Context(
        caller=Caller(user="ana", interface="test"),
        open_workspace=lambda: pytest.fail("a schema needs no workspace"),
        list_kinds=lambda: build_kinds(list_kinds()),
    )
    assert "Directory" in str(call(request(kind="Directory"), context))
    with pytest.raises(InvalidArgument, match="no kind is called 'Directori'"):
        call(request(kind="Directori"), context)
