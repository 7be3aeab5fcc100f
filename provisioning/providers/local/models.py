"""What manifests may say of the local provider's kinds. Imports Pydantic, so is loaded late."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from provisioning.providers.local.files.path_syntax import find_path_problem, split_path


def _check_path(path: str) -> str:
    if problem := find_path_problem(path):
        raise ValueError(f"the path {problem}")
    return path


def _check_named(path: str) -> str:
    if not split_path(path):
        raise ValueError("the path names a root itself")
    return path


def _check_text(text: str) -> str:
    if "\0" in text:
        raise ValueError("a NUL character cannot be passed on")
    return text


def _check_variable(name: str) -> str:
    if name.startswith("PROVISIONING_"):
        raise ValueError("names that begin with PROVISIONING_ are ours")
    return name


FolderPath = Annotated[str, AfterValidator(_check_path)]
Path = Annotated[FolderPath, AfterValidator(_check_named)]
Mode = Annotated[str, Field(pattern=r"^[0-7]{4}$", description="Octal, in quotes: '0644'.")]
Account = Annotated[str, Field(min_length=1, description="A name, or a number in quotes.")]
Text = Annotated[str, AfterValidator(_check_text)]
Word = Annotated[Text, Field(min_length=1)]
Variable = Annotated[
    str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$"), AfterValidator(_check_variable)
]


LEFT_OUT: Any = None
"""The default of a field that may be left out, but not be null."""


class _LocalSpec(BaseModel):
    model_config = ConfigDict(extra="forbid", regex_engine="python-re")


class File(_LocalSpec):
    """A file, with exactly one of `content`, `template` and `source`."""

    path: Path
    content: str = LEFT_OUT
    template: str = Field(default=LEFT_OUT, description="A Jinja2 template of the workspace.")
    vars: dict[str, Any] = Field(default={}, description="What the template may use.")
    source: str = Field(default=LEFT_OUT, description="A file of the workspace, copied as it is.")
    mode: Mode = LEFT_OUT
    owner: Account = LEFT_OUT
    group: Account = LEFT_OUT

    @model_validator(mode="after")
    def _check_content(self) -> Self:
        given = self.model_fields_set & {"content", "template", "source"}
        if len(given) != 1:
            raise ValueError("give exactly one of content, template and source")
        if "vars" in self.model_fields_set and "template" not in given:
            raise ValueError("vars are for a template")
        return self


class Directory(_LocalSpec):
    """A directory. It is deleted only when it is empty."""

    path: Path
    mode: Mode = LEFT_OUT
    owner: Account = LEFT_OUT
    group: Account = LEFT_OUT


class Stop(_LocalSpec):
    """How a process is stopped: by `signal`, and after `grace` seconds by force."""

    signal: Literal["TERM", "INT", "HUP", "QUIT", "USR1", "USR2", "KILL"] = "TERM"
    grace: float = Field(default=10, ge=0)


class Ready(_LocalSpec):
    """How to tell that a process serves: exactly one of the three."""

    tcp: int = Field(default=LEFT_OUT, ge=1, le=65535, description="A port of this machine.")
    http: str = Field(
        default=LEFT_OUT, pattern=r"^https?://", description="A URL to answer 2xx or 3xx."
    )
    exec: list[Word] = Field(
        default=LEFT_OUT, min_length=1, description="A command to exit with 0."
    )

    @model_validator(mode="after")
    def _check_one(self) -> Self:
        if len(self.model_fields_set) != 1:
            raise ValueError("give exactly one of tcp, http and exec")
        return self


class Process(_LocalSpec):
    """A process that survives the run that started it."""

    command: list[Text] = Field(min_length=1)
    env: dict[Variable, Text] = {}
    cwd: FolderPath = Field(default=".", description="Relative to `local.root`.")
    restart: Literal["always", "on-failure", "never"] = "always"
    stop: Stop = Stop()
    ready: Ready = LEFT_OUT
    timeout: float = Field(default=30, gt=0, description="Seconds it may take to become ready.")

    @model_validator(mode="after")
    def _check_program(self) -> Self:
        if not self.command[0]:
            raise ValueError("the command names no program")
        return self


class Value(_LocalSpec):
    """A value to pass on: `output` is `input`. A changed trigger makes a new one."""

    input: Any = None
    triggers: Any = None
