"""Runs the commands in the comments of a pull request, and answers in the thread."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

import msgspec

from provisioning.core.model.errors import ProvisioningError
from provisioning.core.policy.review_records import Approval, ReviewRecord
from provisioning.core.reviews.codeowners import OwnerRule, find_owners
from provisioning.core.reviews.commands import (
    HELP_TEXTS,
    PREFIX,
    Command,
    InvalidCommand,
    Verb,
    parse_commands,
)
from provisioning.core.reviews.comment import MARKER
from provisioning.core.reviews.findings import PullReview
from provisioning.core.reviews.forge import Forge, Permission, PullComment, PullRequest
from provisioning.core.reviews.markdown import render_block, render_code
from provisioning.core.reviews.permissions import DESCRIPTIONS, Permissions, find_refusal
from provisioning.gitstore.branches.review_log import ReviewLog
from provisioning.reconciler.planning.plan_result import Report
from provisioning.reconciler.resync import SUCCESSFUL

ANSWER = "<!-- provisioning:answer -->"
"""The first line of our answers."""


class GivenCommand(msgspec.Struct, frozen=True):
    """A command, who gave it, and in which comment."""

    command: Command
    by: str
    comment: int


class CommandReply(msgspec.Struct, frozen=True):
    """The answer to a command, and the new record."""

    text: str
    record: ReviewRecord


class Responder(msgspec.Struct, frozen=True, kw_only=True):
    """Runs the commands of pull requests.

    Args:
        forge: The comments, and the permissions of their authors.
        reviews: The last comment that was answered.
        rules: Reads who owns which paths.
        apply: Applies infras of a pull request.
        hold: Holds an infra for somebody.
        release: Releases somebody's hold of an infra.
        permissions: Who may give which command.
        redact: Removes secrets from texts.
    """

    forge: Forge
    reviews: ReviewLog
    rules: Callable[[], Sequence[OwnerRule]]
    apply: Callable[[PullReview, ReviewRecord | None, Sequence[str]], list[Report]]
    hold: Callable[[str, str, int], str]
    release: Callable[[str, str], str]
    permissions: Mapping[Verb, Permissions]
    redact: Callable[[str], str]

    def respond(
        self, pull: PullRequest, review: PullReview, record: ReviewRecord | None
    ) -> ReviewRecord | None:
        """Run the commands that are new since *record*; *review* is what is shown.

        A comment is answered at most once: it is recorded before it is answered.

        Raises:
            HeadMoved: If somebody else answered it meanwhile.
        """
        given = list(self._list_given(pull.number, record))
        if not given:
            return record
        record = record or ReviewRecord(pull=pull.number, head=pull.head)
        answers = []
        for comment, commands in given:
            texts = []
            for command in commands:
                answer = self._answer(pull, review, record, comment, command)
                texts.append(answer.text)
                record = answer.record
            answers.append(_join(comment, texts))
        record = msgspec.structs.replace(record, answered=given[-1][0].id)
        count = f"{len(answers)} comment{'s' * (len(answers) != 1)}"
        self.reviews.append(record, {}, f"answer #{pull.number}: {count}")
        for text in answers:
            self.forge.create_comment(pull.number, self.redact(text))
        return record

    def has_commands(self, pull: int, record: ReviewRecord | None) -> bool:
        """Tell whether *pull* has a command that is not answered yet."""
        return any(True for _ in self._list_given(pull, record))

    def _list_given(
        self, pull: int, record: ReviewRecord | None
    ) -> Iterator[tuple[PullComment, tuple[Command | InvalidCommand, ...]]]:
        """Yield the comments that are new since *record*, with their commands."""
        since = record.answered if record else 0
        for comment in self.forge.list_comments(pull):
            is_new = comment.id > since and not self._is_ours(comment)
            commands = parse_commands(comment.body) if is_new else ()
            if commands:
                yield comment, commands

    def _is_ours(self, comment: PullComment) -> bool:
        return comment.body.startswith((MARKER, ANSWER))

    def _answer(
        self,
        pull: PullRequest,
        review: PullReview,
        record: ReviewRecord,
        comment: PullComment,
        command: Command | InvalidCommand,
    ) -> CommandReply:
        if isinstance(command, InvalidCommand):
            return CommandReply(f"❌ {command.reason}", record)
        if command.verb is Verb.HELP:
            return CommandReply(render_help(self.permissions), record)
        given = GivenCommand(command, comment.author, comment.id)
        if refusal := self._find_refusal(pull, review, given):
            return CommandReply(f"❌ {refusal}", record)
        try:
            return self._run(pull, review, record, given)
        except ProvisioningError as exc:
            hint = f"\n\n{render_block(exc.hint)}" if exc.hint else ""
            return CommandReply(f"❌ {exc.code}\n\n{render_block(str(exc))}{hint}", record)

    def _find_refusal(self, pull: PullRequest, review: PullReview, given: GivenCommand) -> str:
        """Return why *given* is refused; "" if it is allowed."""
        if self.forge.read_permission(given.by) < Permission.WRITE:
            return "this command needs write permission to the repository"
        if pull.is_closed:
            return "the pull request is closed; open it again first"
        known = set(review.names)
        if given.command.infra is not None and given.command.infra not in known:
            names = ", ".join(render_code(item) for item in sorted(known)) or "none"
            return f"this pull request does not touch that infra; it touches: {names}"
        permissions = self.permissions[given.command.verb]
        if review.drift and permissions is not Permissions.NOBODY:
            permissions = Permissions.WRITERS  # the desired state itself was approved already
        return find_refusal(
            given.command.verb,
            permissions,
            by=given.by,
            author=pull.author,
            owners=find_owners(self.rules(), _list_paths(review, given.command.infra)),
        )

    def _run(
        self, pull: PullRequest, review: PullReview, record: ReviewRecord, given: GivenCommand
    ) -> CommandReply:
        infra = given.command.infra
        names = [infra] if infra else review.names
        match given.command.verb:
            case Verb.PLAN:
                return self._plan(pull, review, record, given)
            case Verb.APPROVE:
                return self._approve(pull, record, given, names)
            case Verb.APPLY:
                return CommandReply(_describe(self.apply(review, record, names)), record)
            case Verb.HOLD:
                texts = [self.hold(name, given.by, pull.number) for name in names]
            case _:
                texts = [self.release(name, given.by) for name in names]
        return CommandReply("\n".join(texts) or "no infra is touched", record)

    def _plan(
        self, pull: PullRequest, review: PullReview, record: ReviewRecord, given: GivenCommand
    ) -> CommandReply:
        if review.is_trusted:
            return CommandReply("✅ planned again, see above", record)
        before = [push for push in self.forge.list_pushes(pull.number) if push.id < given.comment]
        if not before or before[-1].head != pull.head:
            return CommandReply("❌ there is a newer commit: read it first, then repeat", record)
        text = f"✅ only the commit {render_code(pull.head[:10])} is planned in full"
        return CommandReply(text, msgspec.structs.replace(record, lifted=pull.head))

    def _approve(
        self, pull: PullRequest, record: ReviewRecord, given: GivenCommand, names: Collection[str]
    ) -> CommandReply:
        if not pull.merged:
            return CommandReply("❌ not merged: approve the pull request by a review", record)
        shown = [item for item in record.waiting if item.infra in names]
        if not shown:
            return CommandReply("❌ no plan waits for an approval", record)
        stale = [item.infra for item in shown if item.after > given.comment]
        if stale:
            return CommandReply(
                "❌ the plan has changed since: read it, and give the command again", record
            )
        approvals = [
            Approval(infra=item.infra, digest=item.digest, by=given.by, comment=given.comment)
            for item in shown
        ]
        new = msgspec.structs.replace(record, approvals=(*record.approvals, *approvals))
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
    """Return the files whose owners must approve: the sources of the planned changes."""
    chosen = [item for item in review.infras if infra in {None, item.infra}]
    plans = [item.plan for item in chosen if item.plan]
    return sorted({change.source.file for plan in plans for change in plan.changes})


def _join(comment: PullComment, texts: Sequence[str]) -> str:
    lines = [line for line in comment.body.splitlines() if line.strip().lower().startswith(PREFIX)]
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
