"""Which values of a file are encrypted: by the suffix or a regex of keys, or of comments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from sops_python.errors import SopsError
from sops_python.go_regex import Finder, InvalidPattern, compile_pattern

RULES = (
    "unencrypted_suffix",
    "encrypted_suffix",
    "unencrypted_regex",
    "encrypted_regex",
    "unencrypted_comment_regex",
    "encrypted_comment_regex",
)
"""At most one of them holds for a file."""

DEFAULT = ("unencrypted_suffix", "_unencrypted")

Comments = Sequence[Sequence[str]]
"""For each branch and list on the way to a value, the comments right before its place."""


class Selection(msgspec.Struct, frozen=True):
    """The choice of the values that are encrypted.

    Args:
        rule: One of `RULES`; "" encrypts everything.
        pattern: The suffix or the regular expression.
        only_encrypted: The MAC covers only what is encrypted.
    """

    rule: str = DEFAULT[0]
    pattern: str = DEFAULT[1]
    only_encrypted: bool = False

    @classmethod
    def build(cls, rules: Mapping[str, str], *, only_encrypted: bool = False) -> Selection:
        """Return the selection by the one rule in *rules*; without any, the default.

        Raises:
            SopsError: If there are several, or an expression cannot be compiled.
        """
        given = [(name, pattern) for name, pattern in rules.items() if pattern]
        if len(given) > 1:
            raise SopsError(
                f"Cannot use more than one of {', '.join(RULES[:-1])}, or {RULES[-1]} in the "
                f"same file: {' and '.join(name for name, _ in given)} are set",
                hint="keep one of them",
                exit_code=8,
            )
        rule, pattern = given[0] if given else DEFAULT
        if rule.endswith("regex"):
            try:
                compile_pattern(pattern)
            except InvalidPattern as exc:
                raise SopsError(
                    f"{rule} is not a regular expression: {exc}",
                    hint=exc.hint or f"correct {pattern!r}",
                ) from exc
        return cls(rule, pattern, only_encrypted)

    @property
    def _regex(self) -> Finder:
        return compile_pattern(self.pattern)

    def as_rules(self) -> dict[str, str]:
        """Return the rule by its name in a file."""
        return {self.rule: self.pattern} if self.rule else {}

    def is_selected(self, path: Sequence[str], comments: Comments, *, is_comment: bool) -> bool:
        """Return whether the value at *path* is encrypted; a comment's own text is the last."""
        match self.rule:
            case "unencrypted_suffix":
                return not any(key.endswith(self.pattern) for key in path)
            case "encrypted_suffix":
                return any(key.endswith(self.pattern) for key in path)
            case "unencrypted_regex":
                return not any(self._regex(key) for key in path)
            case "encrypted_regex":
                return any(self._regex(key) for key in path)
            case "unencrypted_comment_regex":
                return not any(self._is_marked(comment) for comment in comments)
            case "encrypted_comment_regex":
                return self._is_encrypted_by_comment(comments, is_comment=is_comment)
        return True

    def leaves_by_comment(self, text: str) -> bool:
        """Return whether a comment *text* leaves the values after it in plain text."""
        return self.rule == "unencrypted_comment_regex" and self._is_marked([text])

    def _is_encrypted_by_comment(self, comments: Comments, *, is_comment: bool) -> bool:
        """A comment is not encrypted because of itself, only because of one before it."""
        *above, last = comments
        return any(map(self._is_marked, above)) or self._is_marked(
            last[:-1] if is_comment else last
        )

    def _is_marked(self, comments: Sequence[str]) -> bool:
        return any(self._regex(text) for text in comments)
