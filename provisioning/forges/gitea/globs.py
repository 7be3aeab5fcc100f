"""Branch patterns as Gitea reads them: `*` stays within a part, `**` does not.

The grammar is that of gobwas/glob with the separator `/`, which Gitea's protections use.
"""

from __future__ import annotations

import re

_SPECIAL = "*?[{\\"


def is_pattern(rule: str) -> bool:
    """Return whether *rule* can match more than one name."""
    return any(letter in rule for letter in _SPECIAL)


def matches(rule: str, name: str) -> bool:
    """Return whether *rule* matches the whole of *name*; a plain one in any case of letters.

    What cannot be read as a pattern matches itself.
    """
    if not is_pattern(rule):
        return rule.lower() == name.lower()
    try:
        return re.fullmatch(_translate(rule), name, re.DOTALL) is not None
    except re.error:
        return rule == name


_TOKEN = re.compile(
    r"(?P<many>\*\*)|(?P<some>\*)|(?P<one>\?)|(?P<set>\[!?[^\]]+\])"
    r"|(?P<open>\{)|(?P<close>\})|(?P<comma>,)|\\(?P<escaped>.)|(?P<plain>.)",
    re.DOTALL,
)


def _translate(rule: str) -> str:
    parts: list[str] = []
    depth = 0
    for token in _TOKEN.finditer(rule):
        kind, text = str(token.lastgroup), token[token.lastgroup or 0]
        depth += (kind == "open") - (kind == "close")
        parts.append(_translate_token(kind, text, is_inside=depth > 0))
    return "".join(parts)


def _translate_token(kind: str, text: str, *, is_inside: bool) -> str:
    match kind:
        case "many":
            return ".*"
        case "some":
            return "[^/]*"
        case "one":
            return "[^/]"
        case "set":
            return text.replace("\\", "\\\\").replace("[!", "[^", 1)
        case "open":
            return "(?:"
        case "close":
            return ")"
        case "comma" if is_inside:
            return "|"
        case _:
            return re.escape(text)
