"""What is cut off: desired states before and after, and the world that must come of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

APPLY = ("apply", "--yes", "web")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One command that is cut off.

    Attributes:
        name: Its name in the table.
        before: The manifests that were applied before.
        after: The manifests that are to be applied.
        files: The files that must be below the live root in the end, and what they hold.
        folders: The folders that must be there besides.
        processes: How many managed processes must run in the end.
        records: The ids that must be recorded in the end.
        taking: The manifests of another infra, `shop`, that are to be applied as well.
        taken: The ids that must be recorded there in the end.
        settings: Lines of `config/provisioning.yaml` besides the usual.
        handmade: Files that were made by hand, and that the command takes over.
        since: Commands that were run once *after* was committed.
        lost: Whether the state log was lost after that.
        asked: The manifests that Git must ask for in the end, if not *after*.
        suspended: Whether the state log must still say in the end that something is suspended.
        remote: Whether the state log lies on a remote; what its server does is not cut off.
        command: What is cut off; `{digest}` stands for that of the plan as it is by then.
        recovery: What is run afterwards, besides `apply`; `{digest}` as above.
        interrupted: A run was cut off already, at its first change of the world.
        tidied: Whether somebody first does what Git asks for once it was killed: removes its lock
            files, and stashes what it had checked out.
        code: How the recovering `apply` exits.
    """

    name: str
    before: str = ""
    after: str
    files: Mapping[str, str]
    folders: frozenset[str] = frozenset()
    processes: int = 0
    records: frozenset[str]
    taking: str = ""
    taken: frozenset[str] = frozenset()
    settings: str = ""
    handmade: Mapping[str, str] = field(default_factory=dict)
    since: Sequence[Sequence[str]] = ()
    lost: bool = False
    asked: str = ""
    suspended: bool = False
    remote: bool = False
    command: Sequence[str] = APPLY
    recovery: Sequence[Sequence[str]] = ()
    interrupted: bool = False
    tidied: bool = False
    code: int = 0


def render(name: str, spec: str, more: str = "") -> str:
    kind, _, own = name.partition("/")
    return (
        f"---\napiVersion: provisioning/v1\nkind: {kind}\n"
        f"metadata: {{name: '{own}'}}\nspec: {{{spec}}}\n{more}"
    )


def file(name: str, path: str, content: str, more: str = "") -> str:
    return render(f"File/{name}", f"path: '{path}', content: '{content}'", more)


def process(name: str, seconds: int) -> str:
    return render(
        f"Process/{name}", f"command: [sleep, '{seconds}'], stop: {{signal: TERM, grace: 1}}"
    )


TWO = file("a", "a.txt", "one") + file("b", "b.txt", "to {{resources.File/a.path}}")
TWO_FILES = {"a.txt": "one", "b.txt": "to a.txt"}
TWO_RECORDS = frozenset({"File/a", "File/b"})
ONE = frozenset({"File/a"})
HOLD = ("lock", "hold", "web", "--reason", "cut")
STEAL = ("lock", "steal", "web", "--reason", "cut")
RELEASE = ("lock", "release", "web")
SUSPEND, RESUME = ("suspend", "web", "--reason", "cut"), ("resume", "web")
IMPORT = ("import", "--yes", "web", "File/b", "b.txt")
FORGET = ("forget", "--yes", "web", "File/b")
ADOPT = ("adopt", "--yes", "--all", "web")
UNDO = ("undo", "--yes", "web", "2")
APPROVE = (*APPLY, "--allow", "budget@{digest}")
COMPACT = ("gc", "--keep", "0s", "--yes", "web")
EACH = 'forEach: "{{config.values.sites}}"\n'

SCENARIOS = (
    Scenario(name="first run, create", after=TWO, files=TWO_FILES, records=TWO_RECORDS),
    Scenario(
        name="update",
        before=TWO,
        after=render("File/a", "path: a.txt, content: 'two', mode: '0600'")
        + file("b", "b.txt", "to {{resources.File/a.path}}"),
        files={"a.txt": "two", "b.txt": "to a.txt"},
        records=TWO_RECORDS,
    ),
    Scenario(
        name="delete",
        before=TWO,
        after=file("a", "a.txt", "one"),
        files={"a.txt": "one"},
        records=ONE,
    ),
    Scenario(
        name="replace, new first",
        before=file("a", "a.txt", "one"),
        after=file("a", "z.txt", "one"),
        files={"z.txt": "one"},
        records=ONE,
    ),
    Scenario(
        name="replace, old first",
        before=process("p", 86401),
        after=process("p", 86402),
        files={},
        processes=1,
        records=frozenset({"Process/p"}),
    ),
    Scenario(
        name="move",
        before=file("old", "a.txt", "one"),
        after=file("a", "a.txt", "one", "moved: {from: File/old}\n"),
        files={"a.txt": "one"},
        records=ONE,
    ),
    Scenario(
        name="folders and values",
        before=render("Directory/d", "path: d") + file("a", "d/a.txt", "one"),
        after=render("Directory/d", "path: d, mode: '0700'")
        + render("Directory/e", "path: e/f")
        + render("Value/v", "input: '{{resources.Directory/e.path}}', triggers: 2")
        + file("a", "e/f/a.txt", "in {{resources.Value/v.output}}"),
        files={"e/f/a.txt": "in e/f"},
        folders=frozenset({"d", "e", "e/f"}),
        records=frozenset({"Directory/d", "Directory/e", "Value/v", "File/a"}),
    ),
    Scenario(
        name="start a process",
        after=process("p", 86403),
        files={},
        processes=1,
        records=frozenset({"Process/p"}),
    ),
    Scenario(
        name="stop a process",
        before=process("p", 86404) + file("a", "a.txt", "one"),
        after=file("a", "a.txt", "one"),
        files={"a.txt": "one"},
        records=ONE,
    ),
    Scenario(
        name="partial failure",
        after=file("a", "a.txt", "one") + render("Process/p", "command: [/nowhere]"),
        files={"a.txt": "one"},
        records=ONE,
        code=1,
    ),
    Scenario(
        name="taking over from a run cut off",
        after=TWO,
        files=TWO_FILES,
        records=TWO_RECORDS,
        interrupted=True,
    ),
    Scenario(
        name="state log on a remote",
        before=file("a", "a.txt", "one"),
        after=TWO,
        files=TWO_FILES,
        records=TWO_RECORDS,
        remote=True,
    ),
    Scenario(
        name="no lock",
        before=file("a", "a.txt", "one"),
        after=TWO,
        files=TWO_FILES,
        records=TWO_RECORDS,
        settings="lock: {backend: none}\n",
    ),
    Scenario(
        name="deletions in waves",
        before=TWO + file("c", "c.txt", "one") + file("d", "d.txt", "one"),
        after=file("a", "a.txt", "one"),
        files={"a.txt": "one"},
        records=ONE,
    ),
    Scenario(
        name="an entry comes and one goes",
        before=file("s-x", "x.txt", "old") + file("s-y", "y.txt", "to y"),
        after=file("s-{{each.key}}", "{{each.key}}.txt", "to {{each.key}}", EACH)
        + file("off", "off.txt", "one", "when: false\n"),
        files={"y.txt": "to y", "z.txt": "to z"},
        records=frozenset({"File/s-y", "File/s-z"}),
        settings="values: {sites: {y: {}, z: {}}}\n",
    ),
    Scenario(
        name="declared removed, and retained",
        before=TWO,
        after=file("a", "a.txt", "one")
        + "---\napiVersion: provisioning/v1\nremoved: {from: File/b, onDelete: retain}\n",
        files=TWO_FILES,
        records=ONE,
    ),
    Scenario(
        name="move to another infra",
        before=TWO,
        after=file("a", "a.txt", "one"),
        taking=file("new", "b.txt", "to a.txt", "moved: {from: File/b, infra: web}\n"),
        files=TWO_FILES,
        records=ONE,
        taken=frozenset({"File/new"}),
        command=("reconcile",),
        recovery=(("reconcile",), ("reconcile",)),
    ),
    Scenario(
        name="hold",
        before=file("a", "a.txt", "one"),
        after=TWO,
        files=TWO_FILES,
        records=TWO_RECORDS,
        command=HOLD,
        recovery=(RELEASE,),
    ),
    Scenario(
        name="steal",
        before=file("a", "a.txt", "one"),
        after=TWO,
        files=TWO_FILES,
        records=TWO_RECORDS,
        since=(HOLD,),
        command=STEAL,
        recovery=(STEAL, RELEASE),
    ),
    Scenario(
        name="release",
        before=file("a", "a.txt", "one"),
        after=TWO,
        files=TWO_FILES,
        records=TWO_RECORDS,
        since=(HOLD,),
        command=RELEASE,
        recovery=(RELEASE,),
    ),
    Scenario(
        name="import",
        before=file("a", "a.txt", "one"),
        after=TWO,
        files=TWO_FILES,
        records=TWO_RECORDS,
        handmade={"b.txt": "by hand"},
        command=IMPORT,
        recovery=(IMPORT,),
    ),
    Scenario(
        name="forget",
        before=TWO,
        after=file("a", "a.txt", "one"),
        files=TWO_FILES,
        records=ONE,
        since=(SUSPEND,),
        command=FORGET,
        recovery=(("reconcile", "web"), FORGET, RESUME),
    ),
    Scenario(
        name="adopt after a lost state log",
        before=TWO,
        after=file("a", "a.txt", "one"),
        files={"a.txt": "one"},
        records=ONE,
        lost=True,
        command=ADOPT,
        recovery=(ADOPT,),
    ),
    Scenario(
        name="suspend",
        before=file("a", "a.txt", "one"),
        after=TWO,
        files={"a.txt": "one"},
        records=ONE,
        suspended=True,
        command=SUSPEND,
        recovery=(SUSPEND,),
        code=3,
    ),
    Scenario(
        name="resume",
        before=file("a", "a.txt", "one"),
        after=TWO,
        files=TWO_FILES,
        records=TWO_RECORDS,
        since=(SUSPEND,),
        command=RESUME,
        recovery=(RESUME,),
    ),
    Scenario(
        name="compact",
        before=file("a", "a.txt", "one"),
        after=TWO,
        files=TWO_FILES,
        records=TWO_RECORDS,
        since=(APPLY,),
        command=COMPACT,
        recovery=(COMPACT,),
    ),
    Scenario(
        name="undo",
        before=TWO,
        after=file("a", "z.txt", "two"),
        asked=TWO,
        files=TWO_FILES,
        records=TWO_RECORDS,
        since=(APPLY,),
        command=UNDO,
        recovery=(UNDO,),
        tidied=True,
    ),
    Scenario(
        name="deletions approved by digest",
        before=TWO + file("c", "c.txt", "one"),
        after=file("a", "a.txt", "one"),
        files={"a.txt": "one"},
        records=ONE,
        settings="budget: {deletions: 0}\n",
        command=APPROVE,
        recovery=(APPROVE,),
    ),
)
