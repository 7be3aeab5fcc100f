"""Does what people say in a pull request, as far as they may, and answers in the thread."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

import msgspec

from provisioning.core.model.errors import ProvisioningError
from provisioning.core.policy.review_records import Approval, ReviewRecord
from provisioning.core.reviews.codeowners import OwnerRule, find_owners
from provisioning.core.reviews.commands import (
    MEANINGS,
    WORD,
    Command,
    Misread,
    Verb,
    parse_commands,
)
from provisioning.core.reviews.comment import MARKER
from provisioning.core.reviews.findings import PullReview
from provisioning.core.reviews.forge import Forge, Permission, PullComment, PullRequest
from provisioning.core.reviews.markdown import render_block, render_code
from provisioning.core.reviews.permissions import CALLED, Permissions, find_refusal
from provisioning.gitstore.branches.review_log import ReviewLog
from provisioning.reconciler.planning.plan_result import Report
from provisioning.reconciler.reviews.applier import GOOD

ANSWER = "<!-- provisioning:answer -->"
"""The first line of our answers."""


class Said(msgspec.Struct, frozen=True):
    """A command, who said it, and in which comment."""

    command: Command
    by: str
    comment: int


class CommandReply(msgspec.Struct, frozen=True):
    """What became of a command, and what is remembered from now on."""

    text: str
    record: ReviewRecord


class Responder(msgspec.Struct, frozen=True, kw_only=True):
    """Deals with the comments of pull requests.

    Args:
        forge: Knows the comments, and who may what.
        reviews: Knows which comments were dealt with.
        rules: Who owns which paths.
        apply: Applies infras of a pull request.
        hold: Holds an infra for somebody.
        release: Releases somebody's hold of an infra.
        permissions: Who may say what.
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
        """Deal with what was said since the last time; *review* is what is shown.

        A comment is dealt with once: it is remembered before it is answered.

        Raises:
            HeadMoved: If somebody else dealt with it meanwhile.
        """
        spoken = list(self._list_spoken(pull.number, record))
        if not spoken:
            return record
        record = record or ReviewRecord(pull=pull.number, head=pull.head)
        answers = []
        for comment, commands in spoken:
            texts = []
            for command in commands:
                answer = self._answer(pull, review, record, comment, command)
                texts.append(answer.text)
                record = answer.record
            answers.append(_join(comment, texts))
        record = msgspec.structs.replace(record, answered=spoken[-1][0].id)
        count = f"{len(answers)} comment{'s' * (len(answers) != 1)}"
        self.reviews.append(record, {}, f"answer #{pull.number}: {count}")
        for text in answers:
            self.forge.create_comment(pull.number, self.redact(text))
        return record

    def is_asked(self, pull: int, record: ReviewRecord | None) -> bool:
        """Tell whether something was said in *pull* that nobody has dealt with."""
        return any(True for _ in self._list_spoken(pull, record))

    def _list_spoken(
        self, pull: int, record: ReviewRecord | None
    ) -> Iterator[tuple[PullComment, tuple[Command | Misread, ...]]]:
        """Yield what was said since the last time, with the commands in it."""
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
        command: Command | Misread,
    ) -> CommandReply:
        if isinstance(command, Misread):
            return CommandReply(f"❌ {command.reason}", record)
        if command.verb is Verb.HELP:
            return CommandReply(render_help(self.permissions), record)
        said = Said(command, comment.author, comment.id)
        if refusal := self._refuse(pull, review, said):
            return CommandReply(f"❌ {refusal}", record)
        try:
            return self._do(pull, review, record, said)
        except ProvisioningError as exc:
            hint = f"\n\n{render_block(exc.hint)}" if exc.hint else ""
            return CommandReply(f"❌ {exc.code}\n\n{render_block(str(exc))}{hint}", record)

    def _refuse(self, pull: PullRequest, review: PullReview, said: Said) -> str:
        """Say why *said* may not be done; "" if it may."""
        if self.forge.read_permission(said.by) < Permission.WRITE:
            return "that takes the right to write to this repository"
        if pull.is_closed:
            return "it is closed: open it again, and say it then"
        known = set(review.names)
        if said.command.infra is not None and said.command.infra not in known:
            names = ", ".join(render_code(item) for item in sorted(known)) or "none"
            return f"this pull request touches no such infra; it touches: {names}"
        permissions = self.permissions[said.command.verb]
        if review.drift and permissions is not Permissions.NOBODY:
            permissions = Permissions.WRITERS  # it is about what Git asks for, which had its yes
        return find_refusal(
            said.command.verb,
            permissions,
            by=said.by,
            author=pull.author,
            owners=find_owners(self.rules(), _list_paths(review, said.command.infra)),
        )

    def _do(
        self, pull: PullRequest, review: PullReview, record: ReviewRecord, said: Said
    ) -> CommandReply:
        infra = said.command.infra
        names = [infra] if infra else review.names
        match said.command.verb:
            case Verb.PLAN:
                return self._plan(pull, review, record, said)
            case Verb.APPROVE:
                return self._approve(pull, record, said, names)
            case Verb.APPLY:
                return CommandReply(_describe(self.apply(review, record, names)), record)
            case Verb.HOLD:
                texts = [self.hold(name, said.by, pull.number) for name in names]
            case _:
                texts = [self.release(name, said.by) for name in names]
        return CommandReply("\n".join(texts) or "no infra is touched", record)

    def _plan(
        self, pull: PullRequest, review: PullReview, record: ReviewRecord, said: Said
    ) -> CommandReply:
        if review.is_trusted:
            return CommandReply("✅ planned again, see above", record)
        before = [push for push in self.forge.list_pushes(pull.number) if push.id < said.comment]
        if not before or before[-1].head != pull.head:
            return CommandReply("❌ a newer commit has come: look at it, and say it again", record)
        text = f"✅ {render_code(pull.head[:10])} is planned in full, and no other commit"
        return CommandReply(text, msgspec.structs.replace(record, lifted=pull.head))

    def _approve(
        self, pull: PullRequest, record: ReviewRecord, said: Said, names: Collection[str]
    ) -> CommandReply:
        if not pull.merged:
            return CommandReply("❌ approve the pull request itself, by a review", record)
        shown = [item for item in record.waiting if item.infra in names]
        if not shown:
            return CommandReply("❌ nothing waits for a yes", record)
        stale = [item.infra for item in shown if item.after > said.comment]
        if stale:
            return CommandReply(
                "❌ the plan has changed since: look at it, and say it again", record
            )
        approvals = [
            Approval(infra=item.infra, digest=item.digest, by=said.by, comment=said.comment)
            for item in shown
        ]
        new = msgspec.structs.replace(record, approvals=(*record.approvals, *approvals))
        done = ", ".join(render_code(item.infra) for item in shown)
        return CommandReply(f"✅ {done}: exactly the plan that is shown may be applied", new)


def _describe(reports: Sequence[Report]) -> str:
    lines = [
        f"{'✅' if report.conclusion in GOOD else '❌'} "
        f"{render_code(report.plan_result.plan.infra)}: {report.conclusion}"
        + (f" in run {report.run.number}" if report.run else "")
        + "".join(f", stopped by {violation.code}" for violation in report.plan_result.violations)
        for report in reports
    ]
    return "\n".join(lines) or "no infra is touched"


def _list_paths(review: PullReview, infra: str | None) -> list[str]:
    """Return the files whose owners have a say: where the shown changes are written."""
    chosen = [item for item in review.infras if infra in {None, item.infra}]
    plans = [item.plan for item in chosen if item.plan]
    return sorted({change.source.file for plan in plans for change in plan.changes})


def _join(comment: PullComment, texts: Sequence[str]) -> str:
    lines = [line for line in comment.body.splitlines() if line.strip().lower().startswith(WORD)]
    quoted = "\n".join(f"> {render_code(line[:100])}" for line in lines[: len(texts)])
    return "\n\n".join([ANSWER, f"{quoted}", *texts])


def render_help(permissions: Mapping[Verb, Permissions]) -> str:
    """Return the list of what can be said, and by whom."""
    rows = [
        f"| `{WORD} {verb}` | {MEANINGS[verb]} | {CALLED[permission]} |"
        for verb, permission in permissions.items()
    ]
    return "\n".join(
        [
            "| Say | to | Who may |",
            "| --- | --- | --- |",
            *rows,
            f"| `{WORD} {Verb.HELP}` | {MEANINGS[Verb.HELP]} | everybody |",
            "",
            "The name of an infra may follow each.",
        ]
    )
