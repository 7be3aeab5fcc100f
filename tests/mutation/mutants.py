"""Small wrong changes of a module's source, each at one place of its syntax tree."""

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

SWAPS: dict[type, tuple[type, ...]] = {
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.And: (ast.Or,),
    ast.Or: (ast.And,),
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.BitOr: (ast.BitAnd,),
    ast.BitAnd: (ast.BitOr,),
}


@dataclass(frozen=True)
class Mutant:
    """One wrong version: where, what became of what, and the whole source."""

    line: int
    before: str
    after: str
    source: str

    @property
    def name(self) -> str:
        return f"`{self.before}` → `{self.after}`"


def list_mutants(source: str) -> list[Mutant]:
    """Return every mutant of *source*, in the order of the source."""
    tree = ast.parse(source)
    found = []
    for node in _walk(tree):
        for change in _list_changes(node):
            mutated, before, after = _apply(tree, node, change)
            found.append(Mutant(node.lineno, _shorten(before), _shorten(after), mutated))
    return sorted(found, key=lambda each: each.line)


Change = Callable[[ast.AST], ast.AST | None]


def _walk(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield what decides: no annotation, constant, decorator, docstring or message of an error."""
    for name, value in ast.iter_fields(tree):
        if name in {"annotation", "returns", "decorator_list", "bases", "keywords"}:
            continue
        if isinstance(tree, ast.Raise) and name in {"exc", "cause"}:
            continue
        for node in value if isinstance(value, list) else [value]:
            if not isinstance(node, ast.AST) or _is_note(node) or _is_types_only(node):
                continue
            if isinstance(tree, ast.Module) and isinstance(node, ast.Assign | ast.AnnAssign):
                continue
            if hasattr(node, "lineno"):
                yield node
            yield from _walk(node)


def _is_note(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_types_only(node: ast.AST) -> bool:
    is_check = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    return is_check or isinstance(node, ast.Import | ast.ImportFrom | ast.Assert)


def _list_changes(node: ast.AST) -> Iterator[Change]:  # noqa: C901, PLR0912  one table
    match node:
        case ast.Compare(ops=[op]):
            for new in SWAPS.get(type(op), ()):
                yield lambda each, new=new: _with(each, ops=[new()])
        case ast.BoolOp(op=op) | ast.BinOp(op=op):
            for new in SWAPS.get(type(op), ()):
                yield lambda each, new=new: _with(each, op=new())
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield lambda _: operand
        case ast.Constant(value=bool(value)):
            yield lambda each: _with(each, value=not value)
        case ast.Constant(value=int(value)):
            yield lambda each: _with(each, value=value + 1)
        case ast.If() | ast.IfExp() | ast.While():
            yield lambda each: _with(each, test=ast.Constant(value=False))
            if not isinstance(node, ast.While):
                yield lambda each: _with(each, test=ast.Constant(value=True))
        case ast.comprehension(ifs=[_, *_]):
            yield lambda each: _with(each, ifs=[])
        case ast.Return(value=ast.expr()) if not _is_nothing(node.value):
            yield lambda each: _with(each, value=ast.Constant(value=None))
        case ast.Expr() | ast.AugAssign() | ast.Continue() | ast.Break() | ast.Raise():
            yield lambda _: ast.Pass()
        case ast.Assign(targets=[ast.Subscript() | ast.Attribute()]):
            yield lambda _: ast.Pass()


def _is_nothing(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _with(node: ast.AST, **fields: object) -> ast.AST:
    new = copy.copy(node)
    for name, value in fields.items():
        setattr(new, name, value)
    return new


def _apply(tree: ast.AST, node: ast.AST, change: Change) -> tuple[str, str, str]:
    new = change(node)

    class Putter(ast.NodeTransformer):
        def visit(self, each: ast.AST) -> ast.AST:
            return new if each is node else self.generic_visit(each)

    mutated = Putter().visit(_copy_but(tree, node))
    return ast.unparse(ast.fix_missing_locations(mutated)), ast.unparse(node), ast.unparse(new)


def _copy_but(tree: ast.AST, node: ast.AST) -> ast.AST:
    """Copy *tree*, with the very *node* in it."""
    return copy.deepcopy(tree, {id(node): node})


def _shorten(text: str) -> str:
    line, _, more = text.partition("\n")
    return line[:90] + (" …" if more or line[90:] else "")
