from html.parser import HTMLParser

import pytest

VOID = {"meta", "br"}
OPEN = {"html", "p", "td", "tr"}
"""Elements that may be left open (HTML Living Standard, 13.1.2.4)."""


class Page(HTMLParser):
    """Reads a page as a browser does, and notes what it would load or run."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.stack, self.loads, self.text, self.ids = [], [], [], "", []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        known = dict(attrs)
        self.ids += [known["id"]] if "id" in known else []
        self.loads += [value for name, value in attrs if name in {"src", "href", "onload"}]
        if tag not in VOID | OPEN:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        if tag not in OPEN:
            assert self.stack.pop() == tag

    def handle_data(self, data):
        self.text += data


SITE = """\
apiVersion: provisioning/v1
kind: File
metadata: {name: page}
spec:
  path: page.html
  content: "<script>alert(1)</script>\\n<b>two</b>\\n"
---
apiVersion: provisioning/v1
kind: Value
metadata: {name: sum}
spec: {input: "{{resources.File/page.sha256}}"}
"""


@pytest.fixture
def page(shop):
    shop.write(SITE.replace("page", "other"), "infra/app/app.yaml")
    shop.write("[budget]\ndeletions = 1\n", "infra/web/config.toml")
    shop.run("apply", "--yes")
    shop.commit(SITE)
    return shop


def test_a_plan_is_one_page_that_loads_nothing(page):
    """Folded changes, the gates and the graph; what manifests say is text, and never markup."""
    read = Page(page.run("plan", "-o", "html", expected=3))
    assert read.stack == []
    assert read.loads == []
    assert "script" not in read.tags
    assert "<script>alert(1)</script>" in read.text
    assert read.tags.count("svg") == 2
    assert len(set(read.ids)) == len(read.ids)
    assert read.tags.count("details") == read.tags.count("summary") == 7
    assert "would be deleted, and a run may delete 1 resource" in read.text
    assert "--allow budget@" in read.text


def test_a_page_of_nothing_says_so(page):
    """An infra without changes has its line, too."""
    page.run("apply", "app", "--yes")
    read = Page(page.run("plan", "app", "-o", "html"))
    assert "Nothing to do; 2 unchanged." in read.text
    assert "details" not in read.tags
