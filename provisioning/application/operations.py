"""The table of operations: each use case once. Every interface reads it, none adds a rule.

The modules of the use cases are imported when they are called, so that reading the table costs
nothing.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

if TYPE_CHECKING:
    from provisioning.application.context import Context, UseCaseRequest

Result = TypeVar("Result")


class Effect(StrEnum):
    """The effect of an operation. An interface for untrusted callers leaves `act` out."""

    READ = "read"
    PROPOSE = "propose"
    ACT = "act"


class UseCase(NamedTuple):
    """One use case.

    Args:
        name: Its name, as `lock-hold`; a command of that name calls it.
        path: Its function below this package; the type `ListLocksRequest` belongs to `list_locks`.
        effect: Its effect.
        summary: One line of help.
        is_long: True if it may take longer than a caller waits for an answer.
    """

    name: str
    path: str
    effect: Effect
    summary: str
    is_long: bool = False

    @property
    def request(self) -> str:
        """The name of the request's type; it names the result's type."""
        return f"{self.path.rpartition('.')[2].title().replace('_', '')}Request"

    def load(self) -> Callable[[Any, Context], Any]:
        """Import the function; it takes the request and a `Context`."""
        function: Callable[[Any, Context], Any] = self._load(self.path.rpartition(".")[2])
        return function

    def load_request(self) -> type[UseCaseRequest[Any]]:
        """Import the request's type."""
        request: type[UseCaseRequest[Any]] = self._load(self.request)
        return request

    def _load(self, name: str) -> Any:
        module = self.path.rpartition(".")[0]
        return getattr(importlib.import_module(f"{__package__}.{module}"), name)


READ, PROPOSE, ACT = Effect

OPERATIONS = (
    UseCase("plan", "runs.plan.plan", READ,
            "Show what would change and why, field by field.", is_long=True),
    UseCase("apply", "runs.apply.apply", ACT,
            "Show the plan, ask, and apply exactly that.", is_long=True),
    UseCase("apply-pull", "runs.apply.apply_pull", ACT,
            "Apply what a pull request shows.", is_long=True),
    UseCase("reconcile", "runs.apply.reconcile", ACT,
            "Fetch, plan, gate, apply and record.", is_long=True),
    UseCase("review", "runs.review.review", ACT,
            "Show pull requests what they would do.", is_long=True),
    UseCase("forge-setup", "setup.forge.setup_forge", ACT,
            "Set the repository up at its forge, step by step.", is_long=True),
    UseCase("forge-check", "setup.forge.check_forge", READ,
            "Show what is missing or wrong at the forge."),
    UseCase("status", "inspect.status.status", READ, "Show whether each infra is as Git wants it."),
    UseCase("get", "inspect.status.get", READ, "List recorded resources."),
    UseCase("graph", "inspect.explain.graph", READ, "Draw what depends on what: SVG, DOT, text."),
    UseCase("impact", "inspect.explain.impact", READ, "Show what a change can affect, and why."),
    UseCase("diff", "inspect.status.diff", READ,
            "Compare what is live with what was recorded.", is_long=True),
    UseCase("why", "inspect.explain.why", READ,
            "Show who asked for it, where, and which run did it."),
    UseCase("secret-usage", "inspect.explain.secret_usage", READ,
            "Show where a secret is kept and who uses it."),
    UseCase("status-at", "inspect.at.status_at", READ,
            "Show the status of each infra as it was then."),
    UseCase("get-at", "inspect.at.get_at", READ,
            "List the resources of each infra as they were then."),
    UseCase("replay", "inspect.history.replay", READ, "Compute a past run's plan again."),
    UseCase("undo", "runs.undo.undo", ACT, "Commit the desired state before a run again."),
    UseCase("undo-pull", "runs.undo.propose_undo", PROPOSE,
            "Propose the desired state before a run in a pull request."),
    UseCase("events", "inspect.history.events", READ,
            "Show what happened, a line each.", is_long=True),
    UseCase("log", "inspect.history.log", READ, "Show the history of the state log."),
    UseCase("fsck", "inspect.history.fsck", READ, "Prove the state log: linear, fenced, complete."),
    UseCase("gc", "runs.gc.compact", ACT, "Compact the old part of state logs.", is_long=True),
    UseCase("lock-list", "runs.lock.list_locks", READ, "List the lock of every infra."),
    UseCase("lock-hold", "runs.lock.hold", ACT, "Hold an infra, so that nothing is applied."),
    UseCase("lock-steal", "runs.lock.steal", ACT, "Take an infra's lock from whoever holds it."),
    UseCase("lock-release", "runs.lock.release", ACT, "Release a hold."),
    UseCase("import", "runs.ownership.import_resource", ACT, "Take over one thing that exists."),
    UseCase("forget", "runs.ownership.forget", ACT,
            "Stop managing a resource without deleting it."),
    UseCase("adopt", "runs.ownership.adopt", ACT,
            "Rebuild a lost state log from the marks.", is_long=True),
    UseCase("suspend", "runs.suspend.suspend", ACT, "Let runs leave something alone."),
    UseCase("resume", "runs.suspend.resume", ACT, "End a suspension."),
    UseCase("validate", "inspect.manifests.validate", READ, "Check the manifests of a commit."),
    UseCase("doctor", "inspect.doctor.doctor", READ,
            "Check machine, Git, remotes, keys, providers.", is_long=True),
    UseCase("schema", "inspect.manifests.schema", READ, "Print a kind's JSON Schema."),
    UseCase("config-show", "setup.config.show_settings", READ,
            "Show every setting, and where each comes from."),
    UseCase("config-explain", "setup.config.explain_setting", READ,
            "Show the value that every layer gives a setting."),
    UseCase("secrets-init", "setup.secrets.init_secrets", ACT,
            "Make an age identity, and .sops.yaml in the workspace."),
    UseCase("secrets-recipients", "setup.secrets.list_recipients", READ,
            "List the recipients of each file."),
    UseCase("secrets-recipient-add", "setup.secrets.add_recipient", ACT,
            "Let the owner of a recipient read every secret."),
    UseCase("secrets-recipient-remove", "setup.secrets.remove_recipient", ACT,
            "Encrypt every secret anew, without a recipient."),
    UseCase("secrets-check", "setup.secrets.check_secrets", READ,
            "Check all secrets, and Git's whole history.", is_long=True),
    UseCase("secrets-guard", "setup.secrets.guard_secrets", READ,
            "Refuse secrets in plain text."),
    UseCase("secrets-guard-install", "setup.secrets.install_guard", ACT,
            "Make the guard Git's pre-commit hook."),
    UseCase("secrets-make", "setup.secrets.make_secret", ACT, "Generate a secret."),
    UseCase("secrets-rotate", "setup.secrets.rotate_secret", ACT,
            "Generate a secret anew; the old one stays until the end of the rotation."),
    UseCase("secrets-list", "setup.secrets.list_secrets", READ, "List generated secrets."),
    UseCase("secrets-remove", "setup.secrets.remove_secret", ACT, "Remove a generated secret."),
    UseCase("fingerprint-key-rotate", "setup.secrets.rotate_fingerprint_key", ACT,
            "Make the key of this user's fingerprints anew."),
    UseCase("workspace-init", "setup.init.init", ACT, "Make a workspace."),
)  # fmt: skip
"""Every operation, in the order of `provisioning --help`."""

BY_NAME = {operation.name: operation for operation in OPERATIONS}
_BY_REQUEST = {
    (f"{__package__}.{operation.path.rpartition('.')[0]}", operation.request): operation
    for operation in OPERATIONS
}


def find_operation(request: type[UseCaseRequest[Any]]) -> UseCase:
    """Return the operation that *request* asks for."""
    return _BY_REQUEST[request.__module__, request.__qualname__]


def call(request: UseCaseRequest[Result], context: Context) -> Result:
    """Call the operation that *request* asks for.

    Every interface calls through here: authorisation, audit, limits and tracing have this place.

    Raises:
        ProvisioningError: If the operation refuses or fails.
    """
    result: Result = find_operation(type(request)).load()(request, context)
    return result
