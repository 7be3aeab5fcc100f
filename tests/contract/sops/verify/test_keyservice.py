"""Key services: ours and that of `sops`, each asked by both programs.

A service has the keys, and its clients have none: what they open, it has opened for them.
"""

from __future__ import annotations

import base64
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pyrage
import pytest
from gitea_server import find_port
from vault_server import TOKEN, Transit

from sops_python.keyservice.messages import render_request
from sops_python.metadata import MasterKey

grpc = pytest.importorskip("grpc")

pytestmark = [pytest.mark.peer("sops"), pytest.mark.peer("age-keygen")]

TEXT = b"password: secret\n"
OURS = (sys.executable, "-m", "provisioning", "sops")
ALONE = "--enable-local-keyservice=false"
PATIENCE = 300


@dataclass(frozen=True)
class Answer:
    code: int
    output: bytes
    errors: str


class Program:
    """One of the two programs, as a process of its own."""

    def __init__(self, words, folder):
        self.words, self.folder = words, folder

    def __call__(self, *arguments, **options):
        done = subprocess.run(
            [*self.words, *arguments],
            cwd=self.folder,
            capture_output=True,
            check=False,
            timeout=PATIENCE,
            **options,
        )
        return Answer(done.returncode, done.stdout, done.stderr.decode())


@dataclass
class Service:
    """A key service that runs; `log` is what it wrote."""

    process: subprocess.Popen
    address: str
    log: Path

    def answer(self, text):
        self.process.stdin.write(text)
        self.process.stdin.flush()

    def wait_for(self, what, count=1):
        until = time.monotonic() + PATIENCE
        while self.log.read_text().count(what) < count:
            assert time.monotonic() < until, self.log.read_text()
            time.sleep(0.02)

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


@pytest.fixture
def programs(peer, folder):
    return {"ours": Program(OURS, folder), "theirs": Program((str(peer("sops")),), folder)}


@pytest.fixture
def ours(programs):
    return programs["ours"]


@pytest.fixture
def place():
    """A folder whose name is short: a socket's path has at most 107 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="k"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def keys(recipient, folder, monkeypatch):
    """The environment with the identity of `recipient`; without it there is none."""
    environ = dict(os.environ)
    for name in [name for name in os.environ if name.startswith(("SOPS_", "XDG_", "AWS_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GNUPGHOME", str(folder / "no-gnupg"))
    (folder / "no-gnupg").mkdir(mode=0o700)
    (folder / "file.yaml").write_bytes(TEXT)
    return environ


@pytest.fixture
def start(programs, place, keys):
    """Start a key service and wait until it listens."""
    running = []

    def run(program="ours", network="unix", flags=(), environ=None, **options):
        name = f"{len(running)}"
        path, port = place / f"{name}.sock", find_port()
        listen = str(path) if network == "unix" else f"127.0.0.1:{port}"
        address = f"unix://{path}" if network == "unix" else f"tcp://{listen}"
        log = place / f"{name}.log"
        words = ["keyservice", "--network", network, "--address", listen, *flags]
        with log.open("wb") as file:
            process = subprocess.Popen(
                [*programs[program].words, *words],
                cwd=place,
                env={"PYTHONUNBUFFERED": "1", **(environ or keys)},
                stdin=subprocess.PIPE,
                stdout=file,
                stderr=file,
                **options,
            )
        running.append(process)
        until = time.monotonic() + PATIENCE
        while not is_open(path if network == "unix" else port):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.02)
        return Service(process, address, log)

    yield run
    for process in running:
        process.kill()
        process.wait()
        process.stdin.close()


def is_open(place):
    family = socket.AF_UNIX if isinstance(place, Path) else socket.AF_INET
    with socket.socket(family) as door, suppress(OSError):
        door.connect(str(place) if isinstance(place, Path) else ("127.0.0.1", place))
        return True
    return False


def ask(service, *arguments):
    """Return the words by which only *service* is asked."""
    return [arguments[0], ALONE, "--keyservice", service.address, *arguments[1:]]


def check(client, service, folder, *key):
    """Encrypt and decrypt by *service*."""
    encrypted = client(*ask(service, "encrypt", *key, "file.yaml"))
    assert encrypted.code == 0, encrypted.errors
    (folder / "sealed.yaml").write_bytes(encrypted.output)
    assert client("decrypt", "sealed.yaml").code == 128
    found = client(*ask(service, "decrypt", "sealed.yaml"))
    assert (found.code, found.output) == (0, TEXT), found.errors


PAIRS = [("ours", "theirs"), ("theirs", "ours"), ("ours", "ours")]


@pytest.mark.parametrize("network", ["unix", "tcp"])
@pytest.mark.parametrize(("client", "server"), PAIRS)
def test_an_identity_stays_with_the_service(
    client, server, network, programs, start, folder, recipient
):
    check(programs[client], start(server, network), folder, "--age", recipient)


@pytest.fixture
def fingerprint(folder):
    """An OpenPGP key in a keyring of its own."""
    place = folder / "gnupg"
    place.mkdir(mode=0o700)
    environ = os.environ | {"GNUPGHOME": str(place)}
    command = ["gpg", "--batch", "--quiet", "--passphrase", "", "--quick-gen-key"]
    subprocess.run([*command, "ann@example.org", "default", "default"], check=True, env=environ)
    command = ["gpg", "--list-keys", "--with-colons"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True, env=environ)
    yield next(line.split(":")[9] for line in listed.stdout.splitlines() if line[:3] == "fpr")
    subprocess.run(["gpgconf", "--kill", "gpg-agent"], check=True, env=environ)


@pytest.mark.peer("gpg")
@pytest.mark.parametrize(("client", "server"), PAIRS)
def test_an_openpgp_key_stays_with_the_service(
    client, server, programs, start, folder, keys, fingerprint
):
    service = start(server, environ=keys | {"GNUPGHOME": str(folder / "gnupg")})
    check(programs[client], service, folder, "--pgp", fingerprint)


@pytest.fixture
def engine():
    return Transit()


@pytest.mark.parametrize(("client", "server"), PAIRS)
def test_a_token_of_vault_stays_with_the_service(
    client, server, programs, start, folder, keys, serve, engine
):
    service = start(server, environ=keys | {"VAULT_TOKEN": TOKEN})
    key = f"{serve()}/v1/ops/transit/keys/shop"
    check(programs[client], service, folder, "--hc-vault-transit", key)


@pytest.mark.peer("moto_server")
@pytest.mark.xdist_group("moto")
@pytest.mark.parametrize(("client", "server"), PAIRS)
def test_credentials_of_aws_stay_with_the_service(
    client, server, programs, start, folder, keys, moto_server, monkeypatch
):
    """Context and all: the fake service opens nothing in another one."""
    boto3 = pytest.importorskip("boto3")
    secret = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key"}
    for name, value in secret.items():
        monkeypatch.setenv(name, value)
    kms = boto3.client("kms", region_name="eu-central-1", endpoint_url=moto_server)
    arn = kms.create_key()["KeyMetadata"]["Arn"]
    for name in secret:
        monkeypatch.delenv(name)
    service = start(server, environ=keys | secret | {"AWS_ENDPOINT_URL": moto_server})
    key = ("--kms", arn, "--encryption-context", "app:shop,stage:test")
    encrypted = programs[client](*ask(service, "encrypt", *key, "file.yaml"))
    assert encrypted.code == 0, encrypted.errors
    (folder / "sealed.yaml").write_bytes(encrypted.output)
    assert programs[client](*ask(service, "decrypt", "sealed.yaml")).output == TEXT
    (folder / "sealed.yaml").write_bytes(encrypted.output.replace(b"app: shop", b"app: other"))
    assert programs[client](*ask(service, "decrypt", "sealed.yaml")).code == 128


# Who is asked


@pytest.fixture
def sealed(start, ours, folder, recipient):
    """A service, and a file that it encrypted: `sealed.yaml`."""
    service = start()
    (folder / ".sops.yaml").write_text(f"creation_rules:\n  - age: {recipient}\n")
    (folder / "sealed.yaml").write_bytes(ours(*ask(service, "encrypt", "file.yaml")).output)
    return service


@pytest.mark.parametrize("program", ["ours", "theirs"])
def test_the_keys_at_hand_come_first_unless_they_are_switched_off(
    program, programs, sealed, keys, monkeypatch
):
    sealed.stop()
    words = ("--keyservice", sealed.address, "sealed.yaml")
    assert programs[program]("decrypt", *words, env=keys).output == TEXT
    assert programs[program]("decrypt", ALONE, *words, env=keys).code == 128


@pytest.mark.parametrize("program", ["ours", "theirs"])
def test_the_first_service_that_can_is_enough(program, programs, start, sealed, folder, keys):
    empty = start(environ=dict(os.environ))
    words = ["--keyservice", "unix:///nowhere", "--keyservice", empty.address]
    found = programs[program]("decrypt", *words, "--keyservice", sealed.address, "sealed.yaml")
    assert found.output == TEXT, found.errors


@pytest.mark.parametrize("program", ["ours", "theirs"])
def test_the_environment_names_services_too(program, programs, sealed, monkeypatch):
    monkeypatch.setenv("SOPS_KEYSERVICE", f"unix:///nowhere, {sealed.address}")
    monkeypatch.setenv("SOPS_ENABLE_LOCAL_KEYSERVICE", "false")
    for words in (["decrypt", "sealed.yaml"], ["-d", "sealed.yaml"]):
        assert programs[program](*words).output == TEXT


@pytest.mark.parametrize("program", ["ours", "theirs"])
def test_who_is_named_is_asked_in_place_of_those_of_the_environment(
    program, programs, sealed, monkeypatch
):
    monkeypatch.setenv("SOPS_KEYSERVICE", sealed.address)
    words = ["decrypt", ALONE, "--keyservice", "unix:///nowhere", "sealed.yaml"]
    assert programs[program](*words).code == 128


@pytest.mark.parametrize("program", ["ours", "theirs"])
@pytest.mark.parametrize("before", [True, False])
def test_a_service_is_named_where_its_options_stand(program, before, programs, sealed):
    """What stands before a command is not for it."""
    words = ["--keyservice", sealed.address]
    line = [*words, "decrypt", "sealed.yaml"] if before else ["decrypt", "sealed.yaml", *words]
    assert programs[program](*line).code == (128 if before else 0)
    assert programs[program](*words, "--decrypt", "sealed.yaml").output == TEXT


@pytest.mark.parametrize(
    ("command", "words"),
    [("rotate", ["-i", "sealed.yaml"]), ("set", ["sealed.yaml", '["password"]', '"secret"']),
     ("updatekeys", ["--yes", "sealed.yaml"]), ("exec-env", ["sealed.yaml", "test $password"]),
     ("exec-file", ["sealed.yaml", "grep secret {}"])],
)  # fmt: skip
def test_every_command_asks_the_service(command, words, ours, sealed, keys):
    found = ours(*ask(sealed, command, *words))
    assert found.code == 0, found.errors
    assert ours("decrypt", "sealed.yaml", env=keys).output == TEXT


# What goes wrong


@pytest.mark.parametrize("address", ["unix:///nowhere.sock", "tcp://127.0.0.1:9"])
def test_a_service_that_is_not_there_is_told(address, ours, sealed, folder):
    before = (folder / "file.yaml").read_bytes()
    for words, code in ((["encrypt", "-i", "file.yaml"], 1), (["decrypt", "sealed.yaml"], 128)):
        found = ours(words[0], ALONE, "--keyservice", address, *words[1:])
        assert (found.code, found.output) == (code, b"")
        assert f"the key service at {address} does not answer" in found.errors
        assert "is `sops keyservice` running there?" in found.errors
    assert (folder / "file.yaml").read_bytes() == before


def test_why_nobody_could_is_told_for_each(ours, sealed, start, folder):
    empty = start(environ=dict(os.environ))
    words = ["--keyservice", empty.address, "--keyservice", "unix:///nowhere"]
    errors = ours("decrypt", *words, "sealed.yaml").errors
    lines = [line for line in errors.splitlines() if line.startswith("    - | ")]
    assert len(lines) == 3
    assert "failed to load age identities" in lines[0]
    assert f"the key service at {empty.address} could not decrypt with age1" in lines[1]
    assert "failed to load age identities" in lines[1]
    assert "the key service at unix:///nowhere does not answer" in lines[2]
    errors = ours("encrypt", "-i", "--pgp", "0" * 40, *words, "file.yaml").errors
    assert errors.count("0" * 40) == 3
    assert (folder / "file.yaml").read_bytes() == TEXT


def test_an_address_that_is_none_is_told_and_not_asked(ours, sealed):
    words = ["--keyservice", "localhost:5000", "--keyservice", sealed.address]
    found = ours("decrypt", *words, "sealed.yaml")
    assert found.output == TEXT
    assert "'localhost:5000' is not the address of a key service" in found.errors
    found = ours("decrypt", ALONE, "--keyservice", "tcp://localhost", "sealed.yaml")
    assert found.code == 128
    assert "is switched off, and no other can be asked" in found.errors


class Other(grpc.GenericRpcHandler):
    """A service whose answers are the bytes that it is made with."""

    def __init__(self, data):
        self._data = data

    def service(self, details):
        return grpc.unary_unary_rpc_method_handler(lambda *_: self._data)


@pytest.mark.parametrize("data", [b"", b"\x0a\x00", b"\x0a\x05abc", b"\x0a\x01\xff", b"\xff"])
def test_an_answer_without_a_key_is_told(data, ours, folder, recipient, keys):
    server = grpc.server(ThreadPoolExecutor(1))
    server.add_generic_rpc_handlers((Other(data),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    address = f"tcp://127.0.0.1:{port}"
    found = ours("encrypt", ALONE, "--keyservice", address, "--age", recipient, "file.yaml")
    server.stop(0).wait()
    assert (found.code, found.output) == (1, b"")
    assert "without a key" in found.errors
    assert "Traceback" not in found.errors


def test_without_grpc_it_is_told_what_to_install(folder, recipient, keys):
    """Nothing else needs it."""
    script = (
        "import sys; sys.modules['grpc'] = None\n"
        "from provisioning.__main__ import main; main(['sops', *sys.argv[1:]])"
    )
    program = Program((sys.executable, "-c", script), folder)
    assert program("encrypt", "--age", recipient, "file.yaml").code == 0
    for line in (
        ["encrypt", "--keyservice", "unix:///nowhere", "--age", recipient, "file.yaml"],
        ["keyservice", "--network", "unix", "--address", str(folder / "sock")],
    ):
        found = program(*line)
        assert (found.code, found.output) == (1, b"")
        assert "needs grpcio\n  pip install 'provisioning[keyservice]'\n" in found.errors


def test_a_command_that_asks_no_service_does_not_load_grpc(folder, recipient, keys):
    script = (
        "import sys\nfrom provisioning.__main__ import main\n"
        "try:\n    main(['sops', *sys.argv[1:]])\nfinally:\n    print(*sys.modules)"
    )
    program = Program((sys.executable, "-c", script), folder)
    found = program("encrypt", "-i", "--age", recipient, "file.yaml")
    assert found.code == 0, found.errors
    loaded = set(found.output.decode().split())
    assert not {each for each in loaded if each.startswith(("grpc", "provisioning.secrets.keyse"))}


# The service


@pytest.mark.parametrize("program", ["ours", "theirs"])
@pytest.mark.parametrize(("answer", "code"), [(b"y\n", 0), (b"n\n", 128), (b"what\ny\n", 0)])
def test_a_person_is_asked_for_each_request(
    program, answer, code, ours, start, sealed, folder, recipient
):
    service = start(program, flags=["--prompt"])
    service.answer(answer)
    found = ours(*ask(service, "decrypt", "sealed.yaml"))
    assert (found.code, found.output) == (code, b"" if code else TEXT)
    service.wait_for("Received decrypt request using ")
    service.wait_for("Respond to request? (y/n): ", answer.count(b"\n"))
    assert ("Request rejected by user" in found.errors) == bool(code)


def test_the_key_is_named_when_a_person_is_asked(ours, start, sealed, recipient):
    service = start(flags=["--prompt"])
    service.process.stdin.close()
    found = ours(*ask(service, "decrypt", "sealed.yaml"))
    assert found.code == 128
    assert "nobody answered" in found.errors
    assert f"decrypt request using age key with recipient {recipient}. " in service.log.read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("asks", [False, True])
def test_a_signal_ends_the_service_and_removes_its_socket(number, asks, ours, start, sealed):
    service = start(flags=["--verbose", "--prompt"])
    path = Path(service.address.removeprefix("unix://"))
    service.wait_for("Listening on unix://")
    with ThreadPoolExecutor(1) as pool:
        client = pool.submit(ours, *ask(service, "decrypt", "sealed.yaml")) if asks else None
        if asks:
            service.wait_for("Respond to request?")
        assert path.is_socket()
        assert service.stop(number) == 0
        assert not asks or client.result().code == 128
    assert not path.exists()
    assert "shutting down" in service.log.read_text()
    assert "Traceback" not in service.log.read_text()


def test_only_the_owner_can_connect_to_the_socket(start):
    service = start(umask=0)
    path = Path(service.address.removeprefix("unix://"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert service.log.read_text() == ""


def test_who_can_connect_to_a_port_is_told(start):
    assert "Whoever can connect to tcp://127.0.0.1:" in start(network="tcp").log.read_text()


@pytest.mark.parametrize("program", ["ours", "theirs"])
@pytest.mark.parametrize("network", ["unix", "tcp"])
def test_a_place_that_is_taken_is_told_and_left(program, network, programs, start, sealed):
    service = start(network=network)
    listen = service.address.partition("://")[2]
    found = programs[program]("keyservice", "--network", network, "--address", listen)
    assert found.code == 1
    assert "listen" in found.errors
    assert programs[program](*ask(service, "decrypt", "sealed.yaml")).output == TEXT


def test_what_a_service_that_was_killed_has_left_is_told_and_kept(ours, start):
    service = start()
    service.stop(signal.SIGKILL)
    path = Path(service.address.removeprefix("unix://"))
    found = ours("keyservice", "--network", "unix", "--address", str(path))
    assert (found.code, found.output) == (1, b"")
    assert f"remove what one left: rm {path}" in found.errors
    assert path.is_socket()


@pytest.mark.parametrize(
    ("words", "what"),
    [(["--network", "udp"], "unknown network udp"), (["--address", "here"], "'here' is not an"),
     (["--address", ":99999"], "':99999' is not an"),
     (["--address", "192.0.2.1:5000"], "cannot listen on tcp://192.0.2.1:5000"),
     (["--network", "unix", "--address", "no/sock"], "/no/sock\n  name one"),
     (["unix:///tmp/sops.sock"], "no positional arguments")],
)  # fmt: skip
def test_a_place_that_is_none_is_told(words, what, ours, keys):
    found = ours("keyservice", *words)
    assert (found.code, found.output) == (1, b"")
    assert what in found.errors
    assert "Traceback" not in found.errors


def call(service, method, message):
    target = service.address.replace("unix://", "unix:")
    with grpc.insecure_channel(target) as channel:
        try:
            return channel.unary_unary(f"/KeyService/{method}")(message), ""
        except grpc.RpcError as exc:
            return exc.code().name, exc.details()


@pytest.mark.parametrize(
    ("method", "message", "code"),
    [("Encrypt", b"", "NOT_FOUND"), ("Decrypt", b"\x0a\x03\x42\x01x", "NOT_FOUND"),
     ("Encrypt", b"\xff\xff", "INVALID_ARGUMENT"),
     ("Decrypt", b"\x0a\x02\x32\x00\x12\x01\xff", "INVALID_ARGUMENT"),
     ("Encrypt", b"\x0a\x05\x12\x03\x0a\x01\x00", "INVALID_ARGUMENT"),
     ("Encrypt", b"\x0a\x04\x3a\x02\x0a\x00", "UNKNOWN"), ("Other", b"", "UNIMPLEMENTED")],
)  # fmt: skip
def test_a_request_that_is_none_is_refused_and_the_next_one_answered(
    method, message, code, start, ours, sealed
):
    assert call(sealed, method, message)[0] == code
    assert "Traceback" not in sealed.log.read_text()
    assert ours(*ask(sealed, "decrypt", "sealed.yaml")).output == TEXT


def test_a_key_may_have_any_name(start, sealed):
    """What it is called moves no cursor, and crowds nothing out."""
    service = start(flags=["--verbose"])
    for name in ("\x1b[2J", "\N{GRINNING FACE}" * 100_000, "age1foo1x"):
        message = render_request(MasterKey("age", {"recipient": name}), b"data")
        code, details = call(service, "Encrypt", message)
        assert code == "UNKNOWN"
        assert "is not an age recipient" in details or len(name) > 1000
    told = service.log.read_text()
    assert len(told) < 10_000
    assert "\x1b" not in told


def test_an_identity_that_comes_later_is_used(ours, start, sealed, folder, keys):
    service = start(environ=keys | {"SOPS_AGE_KEY_FILE": str(folder / "later.key")})
    assert ours(*ask(service, "decrypt", "sealed.yaml")).code == 128
    shutil.copy(folder / "age.key", folder / "later.key")
    assert ours(*ask(service, "decrypt", "sealed.yaml")).output == TEXT


def test_many_at_once_are_answered(start, ours, sealed):
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda _: ours(*ask(sealed, "decrypt", "sealed.yaml")), range(8))
    assert [each.output for each in answers] == [TEXT] * 8


def test_who_says_nothing_keeps_nobody_waiting(start, ours, sealed):
    """A client that is stopped between its call and its message does not stop the service."""
    told = threading.Event()

    def say_nothing():
        told.wait(PATIENCE)
        yield b""

    with grpc.insecure_channel(sealed.address.replace("unix://", "unix:")) as channel:
        silent = channel.stream_unary("/KeyService/Decrypt")
        calls = [silent.future(say_nothing()) for _ in range(3)]
        assert ours(*ask(sealed, "decrypt", "sealed.yaml")).output == TEXT
        for each in calls:
            each.cancel()
        told.set()


@pytest.mark.parametrize("pause", [0, 0.001, 0.01])
def test_a_signal_right_after_an_answer_ends_it_at_once(pause, start, ours, keys, folder):
    """It strikes nothing of gRPC's own."""
    for _ in range(5):
        service = start(flags=["--verbose"])
        call(service, "Encrypt", b"")
        time.sleep(pause)
        began = time.monotonic()
        assert service.stop() == 0
        seconds = time.monotonic() - began
        assert "Exception" not in service.log.read_text()
        if seconds < 4:  # what open connections have is 5; a busy machine is given other chances
            return
    pytest.fail(f"the last of 5 took {seconds:.1f} s")


def test_what_is_told_holds_no_key(start, ours, folder, recipient):
    service = start(flags=["--verbose"])
    check(ours, service, folder, "--age", recipient)
    service.wait_for("Answered decrypt request using age key with recipient", 1)
    armoured = (folder / "sealed.yaml").read_text().partition("enc: |\n")[2]
    lines = [line.strip() for line in armoured.splitlines()]
    wrapped = "\n".join(lines[: lines.index("-----END AGE ENCRYPTED FILE-----") + 1])
    secret = (folder / "age.key").read_text().splitlines()[-1]
    data_key = pyrage.decrypt(wrapped.encode(), [pyrage.x25519.Identity.from_str(secret)])
    told = service.log.read_bytes()
    for each in (data_key, data_key.hex().encode(), base64.b64encode(data_key), secret.encode()):
        assert each not in told
