"""Runs the commands in the comments of a pull request, and answers in the thread."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from provisioning.core.model.errors import ProvisioningError
from provisioning.core.policy.review_records import Approval, ReviewRecord
from provisioning.core.reviews.codeowners import CodeOwners
from provisioning.core.reviews.commands import (
    HELP_TEXTS,
    PREFIX,
    Command,
    InvalidCommand,
    Verb,
    parse_commands,
)
from provisioning.core.reviews.findings import PullReview
from provisioning.core.reviews.forge import Permission, PullComment, PullRequest
from provisioning.core.reviews.markdown import render_block, render_code
from provisioning.core.reviews.permissions import DESCRIPTIONS, Permissions, find_refusal
from provisioning.core.reviews.redaction import redact_error
from provisioning.reconciler.planning.plan_result import Report
from provisioning.reconciler.resync import SUCCESSFUL
from provisioning.reconciler.reviews.context import ReviewContext

ANSWER = "<!-- provisioning:answer -->"
"""The first line of our answers."""


class GivenCommand(msgspec.Struct, frozen=True):
    """A command, who gave it in which comment, and the review that it is about."""

    command: Command
    by: str
    comment: int
    review: PullReview

    @property
    def pull(self) -> PullRequest:
        """The pull request."""
        return self.review.pull

    @property
    def infras(self) -> Collection[str]:
        """The infras that it is about."""
        return [self.command.infra] if self.command.infra else self.review.names


class CommandReply(msgspec.Struct, frozen=True):
    """The answer to a command, and the new record."""

    text: str
    record: ReviewRecord


class Responder(msgspec.Struct, frozen=True, kw_only=True):
    """Runs the commands of pull requests; *permissions* are those to give each command.

    *read_owners* reads who owns which paths; *hold* and *release* take an infra and who asks.
    """

    context: ReviewContext
    read_owners: Callable[[], CodeOwners]
    apply: Callable[[PullReview, ReviewRecord | None, Sequence[str]], list[Report]]
    hold: Callable[[str, str, int], str]
    release: Callable[[str, str], str]
    permissions: Mapping[Verb, Permissions]

    def respond(self, review: PullReview, record: ReviewRecord | None) -> ReviewRecord | None:
        """Run the commands that are new since *record*; *review* is what is shown.

        A comment is answered at most once: it is recorded before it is answered.

        Raises:
            HeadMoved: If somebody else answered it meanwhile.
        """
        number = review.pull.number
        given = list(self._list_given(number, record))
        if not given:
            return record
        record = record or ReviewRecord(pull=number, head=review.pull.head)
        answers = []
        for comment, commands in given:
            texts = []
            for command in commands:
                answer = self._answer(review, record, comment, command)
                texts.append(answer.text)
                record = answer.record
            answers.append(_join(comment, texts))
        record = replace(record, answered=given[-1][0].id)
        count = f"{len(answers)} comment{'s' * (len(answers) != 1)}"
        self.context.reviews.append(record, {}, f"answer #{number}: {count}")
        for text in answers:
            self.context.forge.create_comment(number, text)
        return record

    def has_commands(self, pull: int, record: ReviewRecord | None) -> bool:
        """Tell whether *pull* has a command that is not answered yet."""
        return any(True for _ in self._list_given(pull, record))

    def _list_given(
        self, pull: int, record: ReviewRecord | None
    ) -> Iterator[tuple[PullComment, tuple[Command | InvalidCommand, ...]]]:
        """Yield the comments that are new since *record*, with their commands.

        The account of this program commands nothing, whoever else uses it. A comment that was
        edited counts for nothing: who may edit it need not be its author.
        """
        since, own = record.answered if record else 0, self.context.forge.read_login()
        for comment in self.context.forge.list_comments(pull):
            counts = comment.id > since and not comment.is_edited and comment.author != own
            commands = parse_commands(comment.body) if counts else ()
            if commands:
                yield comment, commands

    def _answer(
        self,
        review: PullReview,
        record: ReviewRecord,
        comment: PullComment,
        command: Command | InvalidCommand,
    ) -> CommandReply:
        if isinstance(command, InvalidCommand):
            return CommandReply(f"❌ {command.reason}", record)
        if command.verb is Verb.HELP:
            return CommandReply(render_help(self.permissions), record)
        given = GivenCommand(command, comment.author, comment.id, review)
        if refusal := self._find_refusal(given):
            return CommandReply(f"❌ {refusal}", record)
        try:
            return self._run(given, record)
        except ProvisioningError as exc:
            shown = redact_error(exc, self.context.redact)
            hint = f"\n\n{render_block(shown.hint)}" if shown.hint else ""
            return CommandReply(f"❌ {exc.code}\n\n{render_block(str(shown))}{hint}", record)

    def _find_refusal(self, given: GivenCommand) -> str:
        """Return why *given* is refused; "" if it is allowed."""
        review, infra = given.review, given.command.infra
        if self.context.forge.read_permission(given.by) < Permission.WRITE:
            return "this command needs write permission to the repository"
        if given.pull.is_closed:
            return "the pull request is closed; open it again first"
        known = set(review.names)
        if infra is not None and infra not in known:
            names = ", ".join(render_code(item) for item in sorted(known)) or "none"
            return f"this pull request does not touch that infra; it touches: {names}"
        permissions = self.permissions[given.command.verb]
        if review.drift and permissions is not Permissions.NOBODY:
            permissions = Permissions.WRITERS  # the desired state itself was approved already
        return find_refusal(
            given.command.verb,
            permissions,
            by=given.by,
            author=given.pull.author,
            owners=self.read_owners(),
            paths=_list_paths(review, infra),
        )

    def _run(self, given: GivenCommand, record: ReviewRecord) -> CommandReply:
        names = given.infras
        match given.command.verb:
            case Verb.PLAN:
                return self._plan(given, record)
            case Verb.APPROVE:
                return _approve(given, record)
            case Verb.APPLY:
                reports = self.apply(given.review, record, [*names])
                return CommandReply(_describe(reports), record)
            case Verb.HOLD:
                texts = [self.hold(name, given.by, given.pull.number) for name in names]
            case _:
                texts = [self.release(name, given.by) for name in names]
        return CommandReply("\n".join(texts) or "no infra is touched", record)

    def _plan(self, given: GivenCommand, record: ReviewRecord) -> CommandReply:
        if given.review.is_trusted:
            return CommandReply("✅ planned again, see above", record)
        pushes = self.context.forge.list_pushes(given.pull.number)
        before = [push for push in pushes if push.id < given.comment]
        head = given.pull.head
        if not before or before[-1].head != head:
            return CommandReply("❌ there is a newer commit: read it first, then repeat", record)
        text = f"✅ only the commit {render_code(head[:10])} is planned in full"
        return CommandReply(text, replace(record, lifted=head))


def _approve(given: GivenCommand, record: ReviewRecord) -> CommandReply:
    if not given.pull.merged:
        return CommandReply("❌ not merged: approve the pull request by a review", record)
    shown = [item for item in record.waiting if item.infra in given.infras]
    if not shown:
        return CommandReply("❌ no plan waits for an approval", record)
    if any(item.after > given.comment for item in shown):
        text = "❌ the plan has changed since: read it, and give the command again"
        return CommandReply(text, record)
    approvals = [
        Approval(infra=item.infra, digest=item.digest, by=given.by, comment=given.comment)
        for item in shown
    ]
    new = replace(record, approvals=(*record.approvals, *approvals))
    done = ", ".join(render_code(item.infra) for item in shown)
    return CommandReply(f"✅ {done}: exactly the plan that is shown may be applied", new)


def _describe(reports: Sequence[Report]) -> str:
    lines = [
        f"{'✅' if report.conclusion in SUCCESSFUL else '❌'} "
        f"{render_code(report.plan_result.plan.infra)}: {report.conclusion}"
        + (f" in run {report.run.number}" if report.run else "")
        + "".join(f", stopped by {violation.code}" for violation in report.plan_result.violations)
        for report in reports
    ]
    return "\n".join(lines) or "no infra is touched"


def _list_paths(review: PullReview, infra: str | None) -> list[str]:
    """Return the files whose owners must approve: those that change, and the planned changes' own.

    A command for one infra is not about the files of the others.
    """
    chosen = [item for item in review.infras if infra in {None, item.infra}]
    plans = [item.plan for item in chosen if item.plan]
    sources = {change.source.file for plan in plans for change in plan.changes}
    others = tuple(f"infra/{item}/" for item in review.names if infra not in {None, item})
    return sorted({*sources, *(path for path in review.paths if not path.startswith(others))})


def _join(comment: PullComment, texts: Sequence[str]) -> str:
    lines = [line for line in comment.body.split("\n") if line.strip().lower().startswith(PREFIX)]
    quoted = "\n".join(f"> {render_code(line[:100])}" for line in lines[: len(texts)])
    return "\n\n".join([ANSWER, f"{quoted}", *texts])


def render_help(permissions: Mapping[Verb, Permissions]) -> str:
    """Return the table of the commands, and who may give them."""
    rows = [
        f"| `{PREFIX} {verb}` | {HELP_TEXTS[verb]} | {DESCRIPTIONS[permission]} |"
        for verb, permission in permissions.items()
    ]
    return "\n".join(
        [
            "| Command | Does | Who may |",
            "| --- | --- | --- |",
            *rows,
            f"| `{PREFIX} {Verb.HELP}` | {HELP_TEXTS[Verb.HELP]} | everybody |",
            "",
            "Each takes the name of an infra, to mean that one alone.",
        ]
    )
