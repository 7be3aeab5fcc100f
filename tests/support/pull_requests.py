"""What pull requests of tests change, and what a review writes about them."""

import json

FILE = """\
apiVersion: provisioning/v1
kind: File
metadata: {{name: {name}}}
spec: {{path: {name}, content: {content}}}
"""


def make_file(name, content):
    return FILE.format(name=name, content=json.dumps(content))


def set_settings(hosted, text):
    settings = hosted.shop.folder / "config/provisioning.yaml"
    hosted.shop.git("checkout", "--quiet", "-B", "main")
    settings.write_text(settings.read_text(encoding="utf-8") + text)
    hosted.shop.commit()
    hosted.shop.git("push", "--quiet", hosted.url, "HEAD:main")


def edit(content, name="motd"):
    return {"infra/web/example.yaml": make_file(name, content)}


def read_all(hosted, pull):
    """Read everything that a review can write."""
    head = hosted.read(pull)["head"]["sha"]
    return (
        hosted.shop.git("ls-remote", hosted.url),
        hosted.call("ops", "GET", f"/issues/{pull}/comments"),
        hosted.call("ops", "GET", f"/commits/{head}/statuses"),
    )
