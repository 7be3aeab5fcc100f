"""Compares how a repository is set up at its forge with how it must be. Pure.

Each thing is one finding; what `forge setup` can put right comes with its step.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from provisioning.core.reviews.forge import Permission
from provisioning.forges.setup.facts import EVENTS, SCOPES, Facts, Hook, Wanted
from provisioning.forges.setup.findings import (
    AddLabel,
    Protect,
    SetHook,
    SetupAction,
    SetupFinding,
    SetupState,
    SetupStep,
    SwitchOn,
)
from provisioning.forges.setup.protections import (
    compute_protection,
    describe_protection,
    list_targets,
)

OLDEST = (1, 20)
"""The first Gitea with the call that writes several files."""

SKEW = 60.0
"""Seconds by which two clocks may differ before it is worth a word."""

UNSEEN = "only an administrator of the repository sees it"


def compute_findings(wanted: Wanted, facts: Facts) -> tuple[SetupFinding, ...]:
    """Return the finding of each subject, the most important first."""
    return tuple(_list_findings(wanted, facts))


def list_obstacles(findings: Iterable[SetupFinding]) -> list[SetupFinding]:
    """Return what must be put right by people before any step can be done."""
    wrong = [
        finding
        for finding in findings
        if finding.standing is SetupState.WRONG and finding.step is None
    ]
    return [item for item in wrong if item.subject != "clock"]


def _list_findings(wanted: Wanted, facts: Facts) -> Iterator[SetupFinding]:
    if facts.version is not None:
        yield _judge_version(wanted, facts.version)
        yield _judge_clock(facts.skew)
    if facts.login is not None:
        yield _ok("token", f"it is {facts.login}'s")
    if facts.login is not None or facts.missing_scopes:
        yield _judge_scopes(facts, wanted)
    if facts.refusal is not None:
        yield _wrong(facts.refused, facts.refusal.message, facts.refusal.hint or "")
    if facts.hosting is not None and facts.login is not None:
        yield from _judge_repository(wanted, facts)
        yield from _judge_rest(wanted, facts, facts.login)


def _ok(subject: str, message: str) -> SetupFinding:
    return SetupFinding(subject=subject, standing=SetupState.OK, told=message)


def _wrong(subject: str, message: str, hint: str) -> SetupFinding:
    return SetupFinding(subject=subject, standing=SetupState.WRONG, told=message, hint=hint)


def _judge_version(wanted: Wanted, version: str) -> SetupFinding:
    parts = version.partition("+")[0].split(".")[:2]
    known = tuple(int(part) for part in parts if part.isdecimal())
    shown = f"Gitea {version} at {wanted.url}"
    if known < OLDEST:
        oldest = ".".join(str(item) for item in OLDEST)
        return _wrong("forge", shown, f"upgrade it to {oldest} at least")
    return _ok("forge", shown)


def _judge_clock(skew: float) -> SetupFinding:
    if abs(skew) > SKEW:
        way = "ahead of" if skew > 0 else "behind"
        return _wrong(
            "clock",
            f"the forge's is {abs(skew):.0f} s {way} this machine's",
            "set both by the network's time",
        )
    return _ok("clock", "the forge's and this machine's agree")


def _judge_scopes(facts: Facts, wanted: Wanted) -> SetupFinding:
    if facts.missing_scopes:
        return _wrong(
            "scopes",
            f"the token lacks {', '.join(facts.missing_scopes)}",
            f"make one with {', '.join(SCOPES)} at {wanted.url}/user/settings/applications, "
            "and write it to the file of forge.token_file",
        )
    return _ok("scopes", ", ".join(SCOPES))


def _judge_repository(wanted: Wanted, facts: Facts) -> Iterator[SetupFinding]:
    hosting, name = facts.hosting, wanted.repository
    if hosting is None:
        raise AssertionError  # the caller has asked
    place = f"{wanted.url}/{name}/settings"
    if hosting.is_archived:
        yield _wrong("repository", f"{name} is archived", f"take it out of the archive at {place}")
    elif hosting.is_mirror:
        yield _wrong(
            "repository", f"{name} is a mirror", f"turn it into a regular repository at {place}"
        )
    else:
        yield _ok("repository", name)
    if hosting.is_empty or not hosting.has_branch:
        yield SetupFinding(
            subject="branch",
            standing=SetupState.MISSING,
            told=f"{name} is empty" if hosting.is_empty else f"{name} has no {wanted.branch}",
            hint=f"push the workspace: git push {wanted.url}/{name}.git {wanted.branch}",
        )
    else:
        yield _ok("branch", wanted.branch)
    yield _judge_rights(wanted, facts, hosting.permission)
    yield from _judge_switches(wanted, facts)


def _judge_rights(wanted: Wanted, facts: Facts, permission: Permission) -> SetupFinding:
    """Gitea shows the permissions of others to administrators only."""
    if permission >= Permission.ADMIN:
        return _ok("rights", f"{facts.login} is an administrator of the repository")
    lack = (
        "may write, but not ask who else may, as reviews must"
        if permission is Permission.WRITE
        else "may not write"
    )
    return _wrong(
        "rights",
        f"{facts.login} {lack}",
        f"make {facts.login} an administrator of the repository at "
        f"{wanted.url}/{wanted.repository}/settings/collaboration",
    )


def _judge_switches(wanted: Wanted, facts: Facts) -> Iterator[SetupFinding]:
    switches = facts.hosting.switches if facts.hosting else {}
    off = tuple(name for name in wanted.switches if not switches.get(name))
    if not off:
        yield _ok("settings", "; ".join(wanted.switches.values()))
        return
    details = tuple(wanted.switches[name] for name in off)
    step = SetupStep(SetupAction.UPDATE, "settings of the repository", details, SwitchOn(off))
    yield _fixable("settings", SetupState.WRONG, f"off: {', '.join(off)}", step)


def _fixable(subject: str, state: SetupState, message: str, step: SetupStep) -> SetupFinding:
    return SetupFinding(
        subject=subject,
        standing=state,
        told=message,
        hint="`provisioning forge setup` does it",
        step=step,
    )


def _judge_rest(wanted: Wanted, facts: Facts, login: str) -> Iterator[SetupFinding]:
    labels = facts.labels or frozenset()
    for label in wanted.labels:
        subject = f"label {label.name}"
        if label.name in labels:
            yield _ok(subject, label.description)
        else:
            step = SetupStep(SetupAction.CREATE, subject, (label.description,), AddLabel(label))
            yield _fixable(subject, SetupState.MISSING, label.description, step)
    yield from _judge_protections(wanted, facts, login)
    if wanted.hook is not None:
        yield _judge_hook(wanted, wanted.hook, facts.hooks)


def _judge_protections(wanted: Wanted, facts: Facts, login: str) -> Iterator[SetupFinding]:
    for target in list_targets(wanted, login):
        subject = f"protection of {target.pattern}"
        if facts.protections is None:
            yield SetupFinding(subject=subject, standing=SetupState.UNKNOWN, told=UNSEEN)
            continue
        old, new = compute_protection(target, facts.protections)
        if old == new:
            yield _ok(subject, "as it must be")
            continue
        details = describe_protection(target, old, new, facts.protections)
        action, state = (
            (SetupAction.UPDATE, SetupState.WRONG)
            if old
            else (SetupAction.CREATE, SetupState.MISSING)
        )
        step = SetupStep(action, subject, details, Protect(old, new))
        yield _fixable(subject, state, f"it must be so: {'; '.join(details)}", step)


def _judge_hook(wanted: Wanted, url: str, hooks: tuple[Hook, ...] | None) -> SetupFinding:
    subject = f"webhook {url}"
    if hooks is None:
        return SetupFinding(subject=subject, standing=SetupState.UNKNOWN, told=UNSEEN)
    same = [hook for hook in hooks if hook.url == url]
    faults = [fault for item in same for fault in _list_faults(wanted, item)]
    if len(same) == 1 and not faults:
        return _ok(subject, "signed, and sent for pushes and pull requests")
    details = (
        "sent for pushes, pull requests, reviews and comments",
        f"signed with the secret in {wanted.secret_file}",
    )
    if not same:
        step = SetupStep(SetupAction.CREATE, subject, details, SetHook(url, ()))
        return _fixable(subject, SetupState.MISSING, "; ".join(details), step)
    fault = faults[0] if len(same) == 1 else f"there are {len(same)} for the same address"
    change = SetHook(url, tuple(item.id for item in same))
    step = SetupStep(SetupAction.REPLACE, subject, (fault, *details), change)
    return _fixable(subject, SetupState.WRONG, fault, step)


def _list_faults(wanted: Wanted, hook: Hook) -> Iterator[str]:
    if not hook.is_active:
        yield "it is switched off"
    if not hook.sends_json:
        yield "it does not send JSON"
    if missing := EVENTS - hook.events:
        yield f"it is not sent for {', '.join(sorted(missing))}"
    if hook.branches not in {"", "*", "**"}:
        yield f"it is sent for the branches {hook.branches} alone"
    if wanted.secret_made is None or int(wanted.secret_made) > hook.made:
        yield "its secret is not the one in the file, which is newer or not there"
