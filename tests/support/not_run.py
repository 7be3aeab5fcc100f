"""Names a failed test at once, and ends every run with the tests that did not run, and why."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import pytest

NO_MORE = "the run stopped before them"
COLLECTED = pytest.StashKey[frozenset[str]]()


class FailedTests:
    """Names each test that fails, when it fails: a long run that is cut off loses no name."""

    def __init__(self, reporter: object) -> None:
        self._reporter = reporter

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Name it on a line of its own."""
        if report.failed:
            self._reporter.ensure_newline()
            self._reporter.write_line(f"{report.when} failed: {report.nodeid}", red=True)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Name failed tests where somebody reads it: a worker has no terminal."""
    plugins = session.config.pluginmanager
    if reporter := plugins.getplugin("terminalreporter"):
        plugins.register(FailedTests(reporter))


def list_reasons(reporter: object) -> Iterator[tuple[str, str]]:
    """Yield the file and the reason of each test that was left out."""
    for report in reporter.stats.get("skipped", []):
        reason = report.longrepr
        text = reason[2] if isinstance(reason, tuple) else str(reason)
        yield report.nodeid.partition("::")[0], text.removeprefix("Skipped: ")
    for item in reporter.stats.get("deselected", []):
        yield item.nodeid.partition("::")[0], "deselected on the command line"


def pytest_collection_finish(session: pytest.Session) -> None:
    """Remember what is to run, in a run without workers."""
    session.config.stash[COLLECTED] = frozenset(item.nodeid for item in session.items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(node: object, ids: list[str]) -> None:
    """Remember what the workers are to run."""
    node.config.stash[COLLECTED] = frozenset(each.partition("@")[0] for each in ids)


def count_never_started(reporter: object) -> int:
    """Return how many collected tests have no result at all."""
    outcomes = ("passed", "failed", "error", "skipped", "xfailed", "xpassed")
    ended = {
        each.nodeid.partition("@")[0] for name in outcomes for each in reporter.stats.get(name, [])
    }
    return len(reporter.config.stash.get(COLLECTED, frozenset()) - ended)


def pytest_terminal_summary(terminalreporter: object, config: pytest.Config) -> None:
    """Write the section, also where nothing was left out."""
    if config.option.collectonly:
        return
    grouped = defaultdict(list)
    for file, reason in list_reasons(terminalreporter):
        grouped[reason].append(file)
    terminalreporter.section("Not run")
    for reason, files in sorted(grouped.items(), key=lambda pair: (-len(pair[1]), pair[0])):
        terminalreporter.line(f"{len(files)} tests: {reason}")
        for file in sorted(set(files)):
            terminalreporter.line(f"    {files.count(file)} in {file}")
    if never := count_never_started(terminalreporter):
        terminalreporter.line(f"{never} tests: {NO_MORE}")
    if not grouped and not never:
        terminalreporter.line("nothing: every collected test ran")
