"""A sandbox for templates that bounds what they cost, the same on every machine.

No clock is read: what is counted are the lines of Python that a rendering runs, and the size of
every value that it makes. So a template that is refused is refused everywhere and always.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from types import FrameType
from typing import Any

from jinja2 import StrictUndefined, nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.runtime import Context
from jinja2.sandbox import SandboxedEnvironment

STEPS = 2_000_000
"""Lines of Python that one rendering may run."""

SIZE = 4 * 2**20
"""Characters of a text, entries of a list, or digits of a number that a template may make."""

WIDTH = re.compile(r"\d{5,}|\*")
"""A width in a format that makes a long text from a short one."""

COUNTED = (str, bytes, list, tuple, dict, set, frozenset)


class TooCostly(Exception):
    """A template asks for more than it may cost."""


@contextmanager
def counting_steps(steps: int = STEPS) -> Iterator[None]:
    """Let the code inside run so many lines of Python in this thread, and not one more.

    Raises:
        TooCostly: In the code, if it runs more.
    """
    left = steps

    def count(frame: FrameType, event: str, _: object) -> Any:
        nonlocal left
        del frame
        if event in {"line", "call"}:
            left -= 1
            if left < 0:
                raise TooCostly(f"it takes more than {steps:,} steps")
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        yield
    finally:
        sys.settrace(before)


def check_size(value: object) -> Any:
    """Return *value* if a template may make it.

    Raises:
        TooCostly: If it may not.
    """
    if isinstance(value, COUNTED) and len(value) > SIZE:
        raise TooCostly(f"it makes something of more than {SIZE:,} characters or entries")
    if isinstance(value, int) and value.bit_length() > SIZE:
        raise TooCostly("it makes a number of too many digits")
    return value


def join_texts(parts: Iterable[object]) -> str:
    """Join *parts* to one text of a size that a template may make."""
    texts: list[str] = []
    size = 0
    for part in parts:
        texts.append(str(part))
        size += len(texts[-1])
        _expect(size)
    return "".join(texts)


def _expect(size: int) -> None:
    if size > SIZE:
        raise TooCostly(f"it makes something of more than {SIZE:,} characters or entries")


def _check_call(function: Callable[..., Any], values: list[Any]) -> None:
    """Refuse what would make something large out of small *values*, before it does."""
    for value in values:
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) > SIZE:
            raise TooCostly(f"it counts to {value:,}")
    name = getattr(function, "__name__", "").removeprefix("do_")
    texts = [item for item in values if isinstance(item, str)]
    if name == "replace" and len(texts) > 2:  # noqa: PLR2004  text, old, new
        _expect(len(texts[0]) + texts[0].count(texts[1]) * len(texts[2]))
    if name in {"join", "indent", "expandtabs"}:
        counts = [item for item in values if isinstance(item, int)]
        width = max([*counts, *(len(text) for text in texts[-1:])], default=0)
        longest = max((len(item) for item in values if isinstance(item, COUNTED)), default=0)
        _expect(width * longest if name != "join" else 0)
    if name in {"format", "format_map"} and any(WIDTH.search(text) for text in texts[:1]):
        raise TooCostly("a format asks for a width that is not small")


def _bound(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def call(*values: Any, **named: Any) -> Any:
        _check_call(function, [*values, *named.values()])
        return check_size(function(*values, **named))

    return call


class _Generator(CodeGenerator):
    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:  # noqa: N802  Jinja's name
        self.write("environment.concat((")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write("))")


class BoundedEnvironment(SandboxedEnvironment):
    """A sandbox without chance in it, and with bounds: the same commit must give the same plan."""

    code_generator_class = _Generator
    concat = staticmethod(join_texts)
    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self, finalize: Callable[[object], object]) -> None:
        super().__init__(
            undefined=StrictUndefined,
            keep_trailing_newline=True,
            autoescape=False,
            finalize=finalize,
            optimized=False,
        )
        del self.filters["random"], self.globals["lipsum"]
        self.filters = {name: _bound(item) for name, item in self.filters.items()}

    def call(self, context: Context, called: Any, /, *values: Any, **named: Any) -> Any:
        """Call *called*, if what it makes is bounded."""
        owner = getattr(called, "__self__", None)
        own = [owner] if isinstance(owner, COUNTED) else []
        _check_call(called, [*own, *values, *named.values()])
        return check_size(super().call(context, called, *values, **named))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Compute `left operator right`, if the result is bounded."""
        match operator, left, right:
            case "*", [*_] | str() | bytes(), int():
                _expect(len(left) * right)
            case "*", int(), [*_] | str() | bytes():
                _expect(len(right) * left)
            case "*", int(), int():
                _expect(left.bit_length() + right.bit_length())
            case "**", int(), int() if right > 0:
                _expect(left.bit_length() * right)
            case "+", [*_] | str(), [*_] | str():
                _expect(len(left) + len(right))
            case "%", str(), _ if WIDTH.search(left):
                raise TooCostly("a format asks for a width that is not small")
        return check_size(super().call_binop(context, operator, left, right))
