"""Fuzzes the parsers: `python tests/fuzz/run.py --seconds 60 [TARGET…]`.

Each target runs in a process of its own for an even share of the seconds and begins with its
committed corpus. It stops at the first input that breaks it and puts that into `findings/`,
which `test_corpora.py` runs from then on. With `--keep`, inputs that reach code which the
corpus does not are added to it.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from targets import TARGETS

HERE = Path(__file__).resolve().parent
CHILD = (sys.executable, str(HERE / "child.py"))
LIMITS = ("-timeout=10", "-rss_limit_mb=1024")
"""Seconds one input may take, and MiB of memory a target may use."""

LAST_LINE = re.compile(r"#(\d+)\s.*?cov: (\d+).*corp: (\d+)")


def main() -> int:
    """Fuzz what was asked for; 1 if anything was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="for all targets together")
    parser.add_argument("--keep", action="store_true", help="let the corpora grow")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    asked = parser.parse_args()
    if unknown := set(asked.targets) - TARGETS.keys():
        parser.error(f"there is no target {', '.join(sorted(unknown))}")
    names = asked.targets or list(TARGETS)
    share = max(1, asked.seconds // len(names))
    return int(sum(_fuzz(name, share, keeps=asked.keep) for name in names) > 0)


def _fuzz(name: str, seconds: int, *, keeps: bool) -> bool:
    """Fuzz one target, and tell whether it broke."""
    corpus, findings = HERE / "corpora" / name, HERE / "findings" / name
    known = set(findings.glob("*"))
    findings.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        words, grown = Path(folder, "words"), Path(folder, "corpus")
        grown.mkdir()
        words.write_text("".join(_quote(word) for word in TARGETS[name].words.split()))
        reduce = f"-reduce_inputs={int(TARGETS[name].mutate is None)}"
        limits = (*LIMITS, reduce, f"-max_len={TARGETS[name].longest}", f"-dict={words}")
        where = (f"-artifact_prefix={findings}/", f"-max_total_time={seconds}")
        child = _run(name, *limits, *where, str(grown), str(corpus))
        if keeps and not child.returncode:
            _run(name, *limits, "-merge=1", "-use_counters=0", str(corpus), str(grown))
    _report(name, child, sorted(set(findings.glob("*")) - known))
    if not any(findings.iterdir()):
        findings.rmdir()
    return child.returncode != 0


def _run(name: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        (*CHILD, name, *options), check=False, capture_output=True, text=True, errors="replace"
    )


def _quote(word: str) -> str:
    """Write *word* as a line of a libFuzzer dictionary."""
    return '"' + "".join(f"\\x{byte:02x}" for byte in word.encode()) + '"\n'


def _report(name: str, child: subprocess.CompletedProcess[str], found: list[Path]) -> None:
    runs, coverage, corpus = (LAST_LINE.findall(child.stderr) or [("0", "0", "0")])[-1]
    violation = "BROKEN" if child.returncode else "holds"
    sys.stdout.write(
        f"{name:14} {runs:>9} inputs {coverage:>6} edges {corpus:>5} kept  {violation}\n"
    )
    for path in found:
        sys.stdout.write(f"  {path.relative_to(HERE.parents[1])}\n")
    if child.returncode:
        told = [line for line in child.stderr.splitlines() if not line.startswith("INFO: ")]
        sys.stdout.write("\n".join((child.stdout[-4000:], *told[-20:], "")))
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
