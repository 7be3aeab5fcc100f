"""The table of fuzzing targets: every parser of bytes that come from outside."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import authored
import heard
import recorded
from mutating import Mutator, mutate_json, mutate_msgpack

JSON_WORDS = '{ } [ ] : , " null true false 1e308 -0.0 18446744073709551615 \\\\ud800 \\\\u0024'
STATE_WORDS = f"{JSON_WORDS} $unknown $sensitive $omitted sha256 bytes run operation attributes"
BRACES = "{{ }} {{{{ env. config.values. resources.Value/a. infra.web.Value/a L R"


class Target(NamedTuple):
    """One parser.

    Args:
        check: Feeds it one input; raises if it does not keep its promise.
        words: What the fuzzer may put into an input, separated by blanks.
        longest: Bytes of the longest input.
        mutate: Changes an input, instead of libFuzzer.
    """

    check: Callable[[bytes], None]
    words: str = JSON_WORDS
    longest: int = 4096
    mutate: Mutator | None = None


MANIFEST = (
    "apiVersion provisioning/v1 kind metadata name labels spec lifecycle protect drift onDelete "
    "dependsOn moved from Value File Process Directory input triggers path content template vars "
    f"source mode command env cwd restart stop ready tcp http exec timeout {BRACES} "
    "when forEach value in notIn {{each.key}} {{each.value.port}} {{each.value}} "
    "{{config.values.on}} {{config.values.sites}} {{config.values.names}} {{config.values.stage}} "
    "removed from infra retain ignoreFields createBeforeDelete timeouts 10m"
)
SETTINGS = (
    "=== config/provisioning.yaml === flags === infra/web/config.toml "
    "=== config/prod-defaults.toml environment: lock backend ttl values local root allow mode "
    f"workspace executor parallelism remote null {BRACES}"
)

JINJA = (
    "{{ }} {% %} {# #} if else endif for in endfor macro endmacro set block endblock raw endraw "
    "name ports on loop.index |join |map |list |default is defined namespace( ( ) [ ] . | ' ~ not"
)

TARGETS: dict[str, Target] = {
    "yaml": Target(
        authored.check_yaml, f"{MANIFEST} &a *a <<: --- ... !!int !!str ? | > - : # \\t"
    ),
    "toml": Target(
        authored.check_toml, f"{MANIFEST} [[resources]] [spec] \"\"\" ''' = . 0x1 1979-05-27"
    ),
    "json": Target(authored.check_json, f"{MANIFEST} {JSON_WORDS}"),
    "settings": Target(authored.check_settings, SETTINGS),
    "text-settings": Target(authored.check_text_settings, f"{JSON_WORDS} {{{{ .inf 0x 0o 1_0", 512),
    "interpolation": Target(authored.check_interpolation, BRACES, 512),
    "template": Target(authored.check_template, JINJA, 256),
    "view": Target(
        recorded.check_view,
        f"{STATE_WORDS} lock.json begin.json run.json fence ===",
        mutate=mutate_json,
    ),
    "leaf": Target(recorded.check_leaf, STATE_WORDS, mutate=mutate_json),
    "journal": Target(
        recorded.check_journal, f"{STATE_WORDS} entry begin end intent", mutate=mutate_json
    ),
    "snapshot": Target(
        recorded.check_snapshot,
        "version tree files blob resources templated",
        mutate=mutate_msgpack,
    ),
    "values": Target(recorded.check_values, STATE_WORDS, mutate=mutate_json),
    "plan": Target(
        recorded.check_plan,
        f"{JSON_WORDS} infra commit digest targets excludes plan",
        mutate=mutate_json,
    ),
    "sighting": Target(
        recorded.check_sighting, f"{JSON_WORDS} digest boot since", 512, mutate=mutate_json
    ),
    "hook": Target(
        heard.check_hook,
        f"{JSON_WORDS} push issue_comment pull_request ref refs/heads/main is_pull issue number",
    ),
    "mark": Target(recorded.check_mark, "/ # . - 1-abcdef ws/web/File/motd", 512),
    "process": Target(
        recorded.check_process,
        f"{JSON_WORDS} === environ note exit PROVISIONING_MARK= PROVISIONING_SPEC= command cwd env "
        "restart always on-failure never stop timeout ready started_as mark is_ready_changed",
        mutate=mutate_json,
    ),
    "message": Target(recorded.check_message, "Run-Id: Fencing-Token: Actor:", 512),
    "duration": Target(recorded.check_duration, "0 9 s m h d", 512),
}
