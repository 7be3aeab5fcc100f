"""The suite of every forge, at a real Gitea."""

import base64
import time
from dataclasses import dataclass, field
from typing import Any

import pytest

from provisioning.core.model.ids import CommitId
from provisioning.forges.gitea.api import GiteaApi
from provisioning.forges.gitea.pulls import GiteaPulls
from provisioning.testing import ForgeSuite
from provisioning.testing.suites.forges.hubs import LABEL


@dataclass
class GiteaHub:
    """A repository at a real Gitea; what people do there goes through its API."""

    server: Any
    repository: str
    tokens: dict
    base: str = "main"
    owner: str = "ops"
    writers: tuple = ("ana", "ben")
    stranger: str = "eve"
    apis: list = field(default_factory=list)

    def call(self, method, path, body=None, login="ops", repository=None):
        status, told = self.server.call(
            method, f"/repos/{repository or self.repository}{path}", body, token=self.tokens[login]
        )
        assert status < 300, told
        return told

    def build(self, url, token, sleep=time.sleep):
        api = GiteaApi(url, token, sleep=sleep)
        self.apis.append(api)
        return GiteaPulls(api, self.repository)

    def build_forge(self, login):
        return self.build(self.server.url, self.tokens[login])

    def build_unknown(self):
        return self.build(self.server.url, "0" * 40)

    def build_cut_off(self):
        return self.build("http://127.0.0.1:9", self.tokens["ops"], sleep=lambda _: None)

    def read_head(self, branch):
        return CommitId(self.call("GET", f"/branches/{branch}")["commit"]["id"])

    def push(self, branch, path, text):
        return self.write(self.repository, branch, path, text, "ops")

    def write(self, repository, branch, path, text, login):
        known = self.call("GET", "/branches", login=login, repository=repository)
        is_known = branch in {each["name"] for each in known}
        body = {
            "content": base64.b64encode(text.encode()).decode(),
            "branch": branch if is_known else self.base,
        } | ({} if is_known else {"new_branch": branch})
        made = self.call("POST", f"/contents/{path}", body, login, repository)
        return CommitId(made["commit"]["sha"])

    def fork(self, branch, path, text):
        self.call("POST", "/forks", {}, self.stranger)
        name = f"{self.stranger}/{self.repository.partition('/')[2]}"
        self.write(name, branch, path, text, self.stranger)
        return f"{self.stranger}:{branch}"

    def judge(self, number, login, *, approves):
        event = "APPROVED" if approves else "REQUEST_CHANGES"
        body = {"event": event, "body": "so I say"}
        self.call("POST", f"/pulls/{number}/reviews", body, login)

    def protect(self, approvals):
        body = {"rule_name": self.base, "required_approvals": approvals}
        self.call("POST", "/branch_protections", body)

    def close(self):
        for api in self.apis:
            api.close()


class GiteaSuite(ForgeSuite):
    @pytest.fixture(autouse=True)
    def _hosted(self, gitea, people):
        self.server, self.tokens = gitea, people

    def build_hub(self):
        hub = GiteaHub(self.server, self.server.create_repository(), self.tokens)
        for name in hub.writers:
            hub.call("PUT", f"/collaborators/{name}", {"permission": "write"})
        hub.call("POST", "/labels", {"name": LABEL, "color": "#000000"})
        return hub
