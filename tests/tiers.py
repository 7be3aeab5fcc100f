"""Runs a tier of the tests, and keeps the list of the tests that each tier has.

    python tests/tiers.py quick | test
    python tests/tiers.py verify [--part K/8]
    python tests/tiers.py ids [--write | --exact]

A test belongs to the tier of its folder below `tests/`; a folder `verify`, wherever it is, belongs
to that tier. `verify` also runs the programs that search at random or try every case; it is cut
into eight parts of about the same length, and writes what came of each into `docs/verification.md`.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree as ET

TESTS = Path(__file__).parent
ROOT = TESTS.parent
IDS = TESTS / "ids"
PAGE = ROOT / "docs/verification.md"
CORES = os.cpu_count() or 1
PARTS = 8

QUICK, TEST, VERIFY = "quick", "test", "verify"

FOLDERS: Mapping[str, tuple[str, ...]] = {
    QUICK: ("unit", "property", "docs", "fuzz"),
    TEST: (
        "contract",
        "crash",
        "integration",
        "known_bugs",
        "observability",
        "simulation",
        "support",
        "transcripts",
        "upgrade",
    ),
}
"""The folders below `tests/` that a tier adds to the one before it."""

LEFT_OUT = "--ignore-glob=*/verify"

LIMITS = {QUICK: 90, TEST: 480, VERIFY: 600}
"""Seconds that a tier, or a part of `verify`, may take on two cores with peers built."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A piece of `verify`: a program, and the line of its output that has the figures.

    Args:
        name: As `docs/verification.md` names it.
        command: Made from the number of the part, from 1 on.
        figures: A pattern for what is kept of the output; its last match counts.
        environ: Variables made from the number of the part.
    """

    name: str
    command: Callable[[int], Sequence[str | Path]]
    figures: str
    environ: Callable[[int], Mapping[str, str]] = field(default=lambda _: {})


PYTEST_FIGURES = r"^=*\s*((?:\d+ \w+(?:, )?)+ in [\d.]+s)"
CONTESTS, KILLS, FAULTS = 13, 1, 2
HISTORIES = 5_000
SOAK_SECONDS = 60


def list_pytest(*words: str | Path, workers: int = CORES) -> list[str | Path]:
    """Return the command that runs tests: *words* are folders and options."""
    options = ["-q", "-n", str(workers), "--dist", "loadgroup"]
    return [sys.executable, "-m", "pytest", *options, *words]


def list_folders(tier: str) -> list[str | Path]:
    """Return the folders of *tier*, with the option that leaves out those of `verify`."""
    if tier == VERIFY:
        return sorted(each for each in TESTS.rglob("verify") if each.is_dir())
    return [LEFT_OUT, *(TESTS / each for each in FOLDERS[tier])]


LANES: tuple[tuple[Unit, ...], ...] = (
    (
        Unit(
            "crash matrix",
            lambda part: [
                *(sys.executable, TESTS / "crash/matrix/run.py"),
                *("--part", f"{part}/{PARTS}", "--jobs", f"{2 * CORES}"),
            ],
            r"^(\d+ cuts in \d+ s, \d+ wrong worlds)$",
        ),
        Unit(
            "secrets after a cut",
            lambda part: [
                *(sys.executable, TESTS / "crash/matrix/leaks.py"),
                *("--part", f"{part}/{PARTS}"),
            ],
            r"^(\d+ cuts, \d+ finds)$",
        ),
    ),
    (
        Unit(
            "soak of two services",
            lambda part: [
                *(sys.executable, TESTS / "soak/run.py"),
                *("--seconds", f"{SOAK_SECONDS}", "--seed", f"{part}"),
            ],
            r"^(Errors at the end: .*)$",
        ),
        Unit(
            "lock contests at Gitea",
            lambda part: [
                *(sys.executable, TESTS / "peers/gitea/contests.py"),
                *("--contests", f"{CONTESTS}", "--kills", f"{KILLS}"),
                *("--faults", f"{FAULTS}", "--seed", f"{part}"),
            ],
            r"^(\d+ contests between \d+ processes)$",
        ),
        Unit(
            "simulated histories",
            lambda part: [
                *(sys.executable, TESTS / "simulation/machine/run.py"),
                *("--histories", f"{HISTORIES}", "--first", f"{(part - 1) * HISTORIES}"),
            ],
            r"^([\d,]+ histories in \d+ s, \d+ broke a promise)$",
        ),
        Unit(
            "long tests",
            lambda _: list_pytest(*list_folders(VERIFY)),
            PYTEST_FIGURES,
            lambda part: {"TEST_PART": f"{part}/{PARTS}"},
        ),
        Unit(
            "properties, ten times the examples",
            lambda _: list_pytest(LEFT_OUT, TESTS / "property"),
            PYTEST_FIGURES,
            lambda part: {"TEST_PART": f"{part}/{PARTS}", "TEST_EXAMPLES": "10"},
        ),
    ),
)
"""What each part of `verify` runs: the lanes side by side, the units of a lane one by one."""


# The tiers of tests


def run_tests(tier: str, options: Sequence[str]) -> int:
    """Run the tests of *tier*, and beside those of `test` the linters; return the exit code."""
    begin = time.monotonic()
    environ = build_environment()
    environ.setdefault("TEST_EXAMPLES", "0.25")
    codes: list[int] = []
    linters = threading.Thread(target=lambda: codes.append(run_linters(environ)))
    if tier == TEST:
        linters.start()
        say_peers(environ)
        begin = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        workers = max(2, CORES) if tier == QUICK else max(4, CORES)
        folders = [word for each in list_tiers(tier) for word in list_folders(each)]
        command = [*list_pytest(*folders, workers=workers), f"--junitxml={report}"]
        codes.append(run_to_its_end([*command, *options], environ))
        if not options:
            codes.append(check_ids(list_tiers(tier), count_reported(report)))
    if tier == TEST:
        linters.join()
    say(f"make {tier}: {time.monotonic() - begin:.0f} s, of {LIMITS[tier]} s on two cores")
    if tier == TEST:
        say("Not run here: the folders `verify` and the long programs; `make verify` runs them.")
    return int(any(codes))


def run_to_its_end(command: Sequence[str | Path], environ: Mapping[str, str]) -> int:
    """Run *command*; an interrupt reaches it too, and it ends with its own summary."""
    process = subprocess.Popen(command, env=environ)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue


def list_tiers(tier: str) -> list[str]:
    """Return *tier* after those that it includes."""
    return [QUICK, TEST] if tier == TEST else [tier]


def say_peers(environ: Mapping[str, str]) -> None:
    """Build the peers that are not there, so that the time of the tests is theirs alone."""
    command = [sys.executable, TESTS / "support/peer_programs.py"]
    subprocess.run(command, env=environ, check=False)  # a failed build fails the tests of its peer


def run_linters(environ: Mapping[str, str]) -> int:
    """Run `make lint` quietly, and print what it said at its end."""
    command = ["make", "--no-print-directory", "lint"]
    done = subprocess.run(
        command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False
    )
    say(f"\n{done.stdout}{done.stderr}make lint: {'passed' if not done.returncode else 'FAILED'}")
    return done.returncode


def build_environment() -> dict[str, str]:
    """Return the environment of every program that is started here."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return environ | {"TEST_RUN": f"{os.getpid()}-{time.time_ns()}"}


# The lists of tests


def read_ids(tier: str) -> Counter[str]:
    """Return how often each test of a list is there; parameters are counted, not named."""
    lines = (IDS / f"{tier}.txt").read_text("utf-8").splitlines()
    pairs = (line.rpartition(" ") for line in lines if line)
    return Counter({name: int(count) for name, _, count in pairs})


def count_reported(report: Path) -> Counter[str]:
    """Count the tests of a JUnit report."""
    if not report.exists():
        return Counter()
    return Counter(strip(each.get("name", "")) for each in ET.parse(report).iter("testcase"))


def count_collected(tier: str) -> Counter[str]:
    """Count the tests that pytest collects for the folders that *tier* adds, and its programs."""
    command = [sys.executable, "-m", "pytest", "-q", "--collect-only", "-p", "no:randomly"]
    command += list_folders(tier)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    found = re.findall(r"^tests/[^:\n]*\.py(?:::\w+)*?::(\w+)(?:\[.*)?$", done.stdout, re.MULTILINE)
    programs = [f"program: {unit.name}" for lane in LANES for unit in lane]
    return Counter([*found, *(programs if tier == VERIFY else [])])


def strip(name: str) -> str:
    """Return the name of a test without its parameters."""
    return name.partition("[")[0]


def check_ids(tiers: Sequence[str], found: Counter[str], *, exact: bool = False) -> int:
    """Say which listed tests are missing from *found*; return 1 if there are any."""
    listed: Counter[str] = sum(map(read_ids, tiers), Counter())
    missing, new = listed - found, found - listed
    for name, count in sorted(missing.items()):
        say(f"missing: {name} ({count} of {listed[name]})")
    if missing:
        say("Tests disappeared. If that is meant, `make ids` writes the lists again.")
    if new:
        say(f"{new.total()} tests are in no list yet: `make ids` adds them.")
    return int(bool(missing or (exact and new)))


def handle_ids(*, write: bool, exact: bool) -> int:
    """Write the lists, or compare them with what pytest collects."""
    codes = []
    for tier in (QUICK, TEST, VERIFY):
        found = count_collected(tier)
        if write:
            lines = [f"{name} {count}\n" for name, count in sorted(found.items())]
            IDS.mkdir(exist_ok=True)
            (IDS / f"{tier}.txt").write_text("".join(lines), "utf-8")
            say(f"{tier}: {found.total()} tests")
        else:
            codes.append(check_ids([tier], found, exact=exact))
    return int(any(codes))


# The parts of `verify`


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a unit."""

    part: int
    unit: str
    passed: bool
    figures: str
    seconds: float


def verify(parts: Sequence[int]) -> int:
    """Run *parts* one after the other; write the page after each; return the exit code."""
    codes = [check_ids([VERIFY], count_collected(VERIFY))]
    for part in parts:
        begin, commit = time.monotonic(), read_commit()
        outcomes = run_part(part)
        write_page(outcomes, commit)
        codes += [not each.passed for each in outcomes]
        seconds = time.monotonic() - begin
        say(f"make verify PART={part}/{PARTS}: {seconds:.0f} s, of {LIMITS[VERIFY]} s on two cores")
    return int(any(codes))


def run_part(part: int) -> list[Outcome]:
    """Run the lanes of *part* side by side."""
    environ = build_environment()
    say_peers(environ)
    outcomes: list[Outcome] = []

    def run_lane(lane: Sequence[Unit]) -> None:
        outcomes.extend(run_unit(unit, part, environ) for unit in lane)

    threads = [threading.Thread(target=run_lane, args=[lane]) for lane in LANES]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return outcomes


def run_unit(unit: Unit, part: int, environ: Mapping[str, str]) -> Outcome:
    """Run one unit; print all that it said if it failed."""
    begin = time.monotonic()
    done = subprocess.run(
        unit.command(part),
        cwd=ROOT,
        env={**environ, **unit.environ(part)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    seconds = time.monotonic() - begin
    found = re.findall(unit.figures, done.stdout, re.MULTILINE)
    passed = done.returncode == 0 and bool(found)
    figures = found[-1] if found else f"no figures, exit code {done.returncode}"
    say(f"{unit.name}, part {part}/{PARTS}: {figures}; {seconds:.0f} s")
    if not passed:
        say(f"{unit.name} FAILED:\n{done.stdout}")
    return Outcome(part, unit.name, passed, figures, seconds)


# The page


HEAD = """# Verification

`make verify` and `make verify PART=k/8` write this page; each part replaces its own rows. Together
the eight parts try every case of [the crash matrix](contributing/reports/crash-matrix.md), search
for secrets after every cut of a run, and run the contests, histories, soaks and properties that
`make test` only samples. `.ci/run` runs one part a day, chosen by the date. A commit with `+` had
further changes.

| Part | What | Result | Figures | Seconds | Commit | Day |
| --- | --- | --- | --- | ---: | --- | --- |
"""


def write_page(outcomes: Sequence[Outcome], commit: str) -> None:
    """Replace the rows of *outcomes*, which began at *commit*, in the page."""
    rows = dict(read_rows())
    day = f"{datetime.now(UTC):%Y-%m-%d}"
    for each in outcomes:
        result = "passed" if each.passed else "**failed**"
        cells = (each.figures.replace("|", "/"), f"{each.seconds:.0f}", commit, day)
        row = " | ".join((f"{each.part}/{PARTS}", each.unit, result, *cells))
        rows[each.part, each.unit] = f"| {row} |\n"
    names = [unit.name for lane in LANES for unit in lane]
    keys = [(part, name) for part in range(1, PARTS + 1) for name in names]
    PAGE.write_text(HEAD + "".join(rows[key] for key in keys if key in rows), "utf-8")


def read_rows() -> Iterator[tuple[tuple[int, str], str]]:
    """Yield the rows of the page as it is, by part and unit."""
    text = PAGE.read_text("utf-8") if PAGE.exists() else ""
    for line in text.splitlines(keepends=True):
        if found := re.match(rf"\| (\d)/{PARTS} \| ([^|]+) \|", line):
            yield (int(found[1]), found[2]), line


def read_commit() -> str:
    """Return the commit that is checked out; with `+` if files besides the page differ from it."""
    head = read_git("rev-parse", "--short=10", "HEAD").strip() or "unknown"
    is_changed = read_git("status", "--porcelain", "--", ".", f":!{PAGE.relative_to(ROOT)}")
    return f"{head}+" if is_changed else head


def read_git(*words: str) -> str:
    """Return what a command of Git prints, nothing where there is no repository."""
    command = ["git", "-C", str(ROOT), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def say(text: str) -> None:
    """Print a line at once: what runs meanwhile prints too."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def read_part(text: str) -> int:
    """Return the number of a part that is written as `3/8`."""
    found = re.fullmatch(rf"([1-{PARTS}])/{PARTS}", text)
    if not found:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no part: they are 1/{PARTS} to {PARTS}/{PARTS}"
        )
    return int(found[1])


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    for tier in (QUICK, TEST):
        each = commands.add_parser(tier)
        each.add_argument("options", nargs="*", help="for pytest")
    each = commands.add_parser(VERIFY)
    each.add_argument("--part", type=read_part, help=f"K/{PARTS}; all of them without it")
    each = commands.add_parser("ids")
    each.add_argument("--write", action="store_true", help="write the lists again")
    each.add_argument("--exact", action="store_true", help="fail for tests that no list has, too")
    arguments = parser.parse_args()
    if arguments.command == VERIFY:
        return verify([arguments.part] if arguments.part else range(1, PARTS + 1))
    if arguments.command == "ids":
        return handle_ids(write=arguments.write, exact=arguments.exact)
    return run_tests(arguments.command, arguments.options)


if __name__ == "__main__":
    sys.exit(main())
