"""P8: secrets reach the providers, and nothing else that anybody could read."""

import base64
import json
import os
import random
import re
import signal
import subprocess
import time
import zlib
from pathlib import Path
from urllib.parse import quote

import pyrage
import pytest

from provisioning.providers.local.processes.procfs import find_members

PLACES = ("content", "mixed", "variable", "environment", "value", "setting", "lines")

MANIFEST = """\
apiVersion: provisioning/v1
kind: Value
metadata: {name: host}
spec: {input: db.example.org}
---
apiVersion: provisioning/v1
kind: File
metadata: {name: content}
spec: {path: content, content: "a {{secrets.app.content}} b"}
---
apiVersion: provisioning/v1
kind: File
metadata: {name: mixed}
spec: {path: mixed, content: "{{secrets.app.mixed}}@{{resources.Value/host.output}}"}
---
apiVersion: provisioning/v1
kind: File
metadata: {name: rendered}
spec: {path: rendered, template: infra/web/templates/t, vars: {word: "{{secrets.app.variable}}"}}
---
apiVersion: provisioning/v1
kind: File
metadata: {name: copy}
spec: {path: copy, content: "{{resources.File/mixed.content}} {{secrets.app.lines}}"}
---
apiVersion: provisioning/v1
kind: Process
metadata: {name: worker}
spec:
  command: [sh, -c, "exec sleep 100"]
  env: {TOKEN: "{{secrets.app.environment}}", PLAIN: shown}
---
apiVersion: provisioning/v1
kind: Value
metadata: {name: held}
spec: {input: {deep: ["{{secrets.app.value}}"]}, triggers: ["{{config.values.word}}"]}
"""
FAILING = """
---
apiVersion: provisioning/v1
kind: File
metadata: {name: denied}
spec: {path: /proc/nowhere, content: "{{secrets.app.content}}"}
---
apiVersion: provisioning/v1
kind: Process
metadata: {name: broken}
spec: {command: [/nowhere/program], env: {A: "{{secrets.app.environment}}"}}
"""


@pytest.fixture
def canaries():
    chance = random.SystemRandom()
    found = {place: f"canary-{place}-{chance.randrange(10**12):012}/+=é" for place in PLACES}
    found["lines"] = "\n".join(f"line {n} of {chance.randrange(10**12):012}" for n in range(3))
    return found


@pytest.fixture
def safe(tmp_path, shop):
    """A workspace with secrets, whose key lies outside of it."""
    identity = pyrage.x25519.Identity.generate()
    key = tmp_path / "keys.txt"
    key.write_text(f"{identity}\n")
    shop.environment["SOPS_AGE_KEY_FILE"] = str(key)
    shop.write(f"creation_rules:\n  - age: {identity.to_public()}\n", ".sops.yaml")
    yield shop
    settings = (shop.folder / "config/provisioning.yaml").read_text()
    workspace = re.search(r"\bid: ([0-9a-f-]{36})", settings)[1]
    for member in find_members(f"{workspace}/"):
        os.kill(member.seen.pid, signal.SIGKILL)


def encrypt(shop, values):
    """Write *values* as the workspace's secrets; the plain text goes in by the standard input."""
    name = "infra/web/app.enc.json"
    done = subprocess.run(
        [os.sys.executable, "-m", "provisioning", "sops", "encrypt", "--filename-override", name],
        input=json.dumps(values).encode(),
        cwd=shop.folder,
        env=shop.environment,
        capture_output=True,
        check=True,
    )
    (shop.folder / name).write_bytes(done.stdout)


def plant(shop, values, more=""):
    encrypt(shop, values)
    shop.write("begin {{ word | upper }} {{ word }} end", "infra/web/templates/t")
    settings = shop.folder / "config/provisioning.yaml"
    if "{{secrets" not in settings.read_text():
        text = '\nvalues:\n  word: "{{secrets.app.setting}}"\n'
        settings.write_text(settings.read_text() + text)
    shop.commit(MANIFEST + more)


def find_leaks(shop, values, outputs):
    """Yield each place outside of the world itself where a canary can be read."""
    forms = {place: list(spell(value)) for place, value in values.items()}
    for where, data in [*walk(shop.folder), *walk(shop.home), *enumerate(outputs)]:
        raw = data.encode() if isinstance(data, str) else data
        yield from (
            (str(where), place, form)
            for place, spelled in forms.items()
            for form in spelled
            if form in raw
        )


def spell(value):
    for text in {value, value.upper(), *value.splitlines()}:
        raw = text.encode()
        yield raw
        yield raw.hex().encode()
        yield quote(text).encode()
        yield quote(text, safe="").encode()
        yield ascii(text)[1:-1].encode()
        for start in range(3):
            yield base64.b64encode(raw[start:])[:-4]


def walk(folder: Path):
    for path in folder.rglob("*"):
        if not path.is_file() or "live" in path.relative_to(folder).parts[:1]:
            continue
        data = path.read_bytes()
        yield path, data
        if "objects" in path.parts and len(path.parent.name) == 2:
            yield path, zlib.decompress(data)


LOOKS = (
    ("plan",),
    ("plan", "-o", "json"),
    ("get", "-o", "json"),
    ("status", "-o", "yaml"),
    ("log",),
    ("diff",),
    ("config", "show"),
    ("validate",),
    ("lock", "explain", "web"),
)


def look(shop):
    """Run every command that shows something; return what they printed."""
    outputs = []
    for words in LOOKS:
        process = shop.start(*words)
        outputs += process.communicate(timeout=600)
        assert "Traceback" not in outputs[-1], outputs[-1]
    return outputs


def test_no_secret_is_found_anywhere_after_a_full_cycle(safe, canaries):
    plant(safe, canaries)
    outputs = look(safe)
    outputs.append(safe.run("plan", "--out", "saved.plan", "web"))
    outputs.append(safe.run("apply", "--yes", "web"))
    assert canaries["mixed"] + "@db.example.org" == safe.live()["mixed"]
    assert canaries["variable"].upper() in safe.live()["rendered"]
    assert "Nothing to do" in safe.run("plan")
    outputs += look(safe)

    other = {place: f"{value}-rotated" for place, value in canaries.items()}
    plant(safe, other)
    outputs += look(safe)
    outputs.append(safe.run("apply", "--yes", "web"))
    (safe.folder / "live/mixed").write_text("by hand")
    outputs += look(safe)
    outputs.append(safe.run("reconcile", "web"))
    assert other["mixed"] in safe.live()["mixed"]
    safe.commit("")
    outputs.append(safe.run("apply", "--yes", "--allow", "prune", "web"))
    assert [*find_leaks(safe, canaries | other, outputs)] == []


def test_what_fails_tells_no_secret(safe, canaries):
    plant(safe, canaries, FAILING)
    process = safe.start("apply", "--yes", "web")
    outputs = [*process.communicate(timeout=600)]
    assert process.returncode == 1, outputs
    outputs += look(safe)
    assert [*find_leaks(safe, canaries, outputs)] == []


@pytest.mark.parametrize("moment", [0.25, 0.35, 0.5, 0.7])
def test_kill_9_leaves_no_secret_behind(safe, canaries, moment):
    plant(safe, canaries)
    process = safe.start("apply", "--yes", "web")
    time.sleep(moment)
    process.send_signal(signal.SIGKILL)
    outputs = [*process.communicate()]
    assert [*find_leaks(safe, canaries, outputs)] == []
    outputs.append(safe.run("apply", "--yes", "web"))
    assert canaries["content"] in safe.live()["content"]
    assert [*find_leaks(safe, canaries, outputs)] == []


def test_without_the_key_nothing_is_changed_and_the_error_names_the_file(safe, canaries):
    plant(safe, canaries)
    before = safe.git("rev-parse", "--all")
    said = safe.run("apply", "--yes", "web", expected=1, SOPS_AGE_KEY_FILE="/nowhere")
    assert "infra/web/app.enc.json" in said
    assert "infra/web/example.yaml:" in said
    assert safe.git("rev-parse", "--all") == before
    assert safe.live() == {}


def test_a_key_service_that_is_down_is_found_before_anything_changes(safe, canaries):
    plant(safe, canaries)
    path = safe.folder / "infra/web/app.enc.json"
    tree = json.loads(path.read_text())
    wrapped = tree["sops"].pop("age")[0]["enc"]
    tree["sops"]["hc_vault"] = [
        {
            "vault_address": "http://127.0.0.1:9",
            "engine_path": "transit",
            "key_name": "shop",
            "created_at": "2026-01-01T00:00:00Z",
            "enc": wrapped,
        }
    ]
    path.write_text(json.dumps(tree))
    safe.commit()
    before = safe.git("rev-parse", "--all")
    said = safe.run("apply", "--yes", "web", expected=1)
    assert "Vault did not answer at http://127.0.0.1:9" in said
    assert safe.git("rev-parse", "--all") == before
    assert safe.live() == {}


def test_a_tampered_file_is_refused_before_anything_changes(safe, canaries):
    plant(safe, canaries)
    path = safe.folder / "infra/web/app.enc.json"
    text = path.read_text()
    place = text.index("data:") + 5
    path.write_text(text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :])
    safe.commit()
    assert "Could not decrypt" in safe.run("apply", "--yes", "web", expected=1)
    assert safe.live() == {}


def test_a_secret_cannot_say_where_a_resource_is(safe, canaries):
    plant(safe, canaries)
    safe.commit(
        "apiVersion: provisioning/v1\nkind: File\nmetadata: {name: a}\n"
        'spec: {path: "x/{{secrets.app.content}}", content: b}\n'
    )
    assert "cannot be secret" in safe.run("plan", expected=1)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("command: [sh, '{{secrets.app.value}}']", 1),
        ("command: [sh, 'x{{resources.File/content.content}}']", 3),
        ("command: [sh], ready: {exec: [sh, '{{secrets.app.value}}']}", 1),
    ],
)
def test_a_secret_is_no_argument(safe, canaries, spec, expected):
    """Everybody on the machine reads the arguments of a process."""
    head = "---\napiVersion: provisioning/v1\nkind: Process\nmetadata: {name: p}\n"
    more = f"{head}spec: {{{spec}}}\n"
    plant(safe, canaries, more)
    told = safe.run("plan", "web", expected=expected)
    assert "can be seen by everybody, and cannot hold a secret" in told
    assert "example.yaml:" in told
    process = safe.start("apply", "--yes", "web")
    outputs = [told, *process.communicate(timeout=600)]
    assert [*find_leaks(safe, canaries, outputs)] == []
    assert "Process/p" not in safe.run("get", "web")


def test_an_unknown_secret_is_answered_with_the_nearest(safe, canaries):
    plant(safe, canaries)
    safe.commit(
        "apiVersion: provisioning/v1\nkind: File\nmetadata: {name: a}\n"
        'spec: {path: x, content: "{{secrets.app.contnt}}"}\n'
    )
    assert "did you mean 'content'?" in safe.run("plan", expected=1)


def test_a_rotated_fingerprint_key_changes_nothing_but_records(safe, canaries):
    """The next run renews the fingerprints, and the former key is then forgotten."""
    plant(safe, canaries)
    safe.run("apply", "--yes")
    assert "a key and 1 former" in safe.run("secrets", "fingerprint-key", "rotate")
    assert "already up to date; only its record changes" in safe.run("plan", "web")
    safe.run("reconcile")
    assert "a key and 0 former" in safe.run("secrets", "fingerprint-key", "rotate", "--finish")
    assert "Nothing to do" in safe.run("plan", "web")
