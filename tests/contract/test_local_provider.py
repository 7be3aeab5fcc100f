from collections.abc import Sequence
from pathlib import Path

from provisioning.core.model.kinds import Kind
from provisioning.core.model.providers import Provider
from provisioning.providers.local.provider import LocalProvider
from provisioning.testing import Case, ProviderSuite

SLEEP = ["sleep", "600"]


def find_kind(name: str) -> Kind:
    nowhere = Path("never-made")
    kinds = LocalProvider(root=nowhere, allow=(), home=nowhere).describe()
    return next(kind for kind in kinds if kind.name == name)


def lead_out(suite: "TestLocalProvider") -> None:
    """Put a link that leads out of the root where the way to the file goes."""
    way = suite.root / "site"
    way.rename(suite.root / "site.real")
    outside = suite.root.parent / "outside"
    outside.mkdir()
    way.symlink_to(outside)


class TestLocalProvider(ProviderSuite):
    def build_provider(self, tmp_path: Path) -> Provider:
        self.root = tmp_path / "live"
        (self.root / "site").mkdir(parents=True, exist_ok=True)
        return LocalProvider(root=self.root, allow=(), home=tmp_path / "home")

    def read_world(self) -> object:
        entries = sorted(self.root.rglob("*")) if hasattr(self, "root") else []
        return [
            (str(path), path.lstat().st_mode, path.read_bytes() if path.is_file() else None)
            for path in entries
        ]

    def build_cases(self) -> Sequence[Case]:
        return [self.build_file(), self.build_directory(), self.build_process(), self.build_value()]

    def build_file(self) -> Case:
        return Case(
            kind=find_kind("File"),
            name="motd",
            spec={"path": "site/motd", "content": "hello\n", "mode": "0644"},
            changed_spec={"path": "site/motd", "content": "good bye\n", "mode": "0600"},
            immutable_change={"path": "site/motd2", "content": "hello\n", "mode": "0644"},
            foreign=lambda suite: (suite.root / "site" / "motd").write_text("not ours"),
            unreadable=lead_out,
            finds_strays=False,
        )

    def build_directory(self) -> Case:
        return Case(
            kind=find_kind("Directory"),
            name="pages",
            spec={"path": "pages", "mode": "0755"},
            changed_spec={"path": "pages", "mode": "0700"},
            immutable_change={"path": "pages2", "mode": "0755"},
            foreign=lambda suite: (suite.root / "pages").mkdir(),
            finds_strays=False,
        )

    def build_process(self) -> Case:
        return Case(
            kind=find_kind("Process"),
            name="sleeper",
            spec={"command": SLEEP, "env": {"A": "1"}, "ready": {"exec": ["true"]}},
            changed_spec={"command": SLEEP, "env": {"A": "2"}, "ready": {"exec": ["true"]}},
        )

    def build_value(self) -> Case:
        return Case(
            kind=find_kind("Value"),
            name="answer",
            spec={"input": {"a": [1, None]}, "triggers": "x"},
            changed_spec={"input": "b", "triggers": "x"},
        )
