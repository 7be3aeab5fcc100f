"""The texts of a review are redacted value by value, and never as a whole."""

from provisioning.core.model.errors import InvalidManifest, InvalidWorkspace, Source
from provisioning.core.model.ids import build_resource_id
from provisioning.core.model.records import Action
from provisioning.core.model.redaction import Redactor
from provisioning.core.plan.diff import Cause, FieldChange
from provisioning.core.reviews.comment import MARKER, render_comment, render_whole_plan
from provisioning.core.reviews.findings import InfraReview, PullReview
from provisioning.core.reviews.forge import PullRequest
from provisioning.core.reviews.manifest_changes import ManifestChange
from provisioning.core.reviews.redaction import redact_review

PULL = PullRequest(
    number=7,
    author="ana",
    head="a" * 40,
    head_branch="topic",
    base_branch="main",
    is_open=True,
    is_fork=False,
    url="https://git.example.org/7",
)


def render(*secrets, **fields):
    """Return the comment and the whole plan of one infra, with *secrets* redacted."""
    infra = InfraReview(infra="shop-dev", **fields)
    shown = redact_review(PullReview(pull=PULL, infras=(infra,)), Redactor(secrets).redact)
    return render_comment(shown, lambda name: f"/{name}"), render_whole_plan(shown.infras[0])


def differ(before, after):
    change = FieldChange(path="shop", before=before, after=after, cause=Cause.MANIFEST)
    return ManifestChange(
        id=build_resource_id("File", "shop"),
        action=Action.UPDATE,
        source=Source("infra/shop-dev/shop.yaml", 1),
        fields=(change,),
    )


def test_a_secret_that_is_a_name_does_not_disclose_itself():
    """Names, ids and paths are in Git; only the value is taken out."""
    for text in render("shop", manifest_changes=(differ("the shop", ["shop", {"shop": 1}]),)):
        assert "shop-dev" in text
        assert "File/shop" in text
        assert "infra/shop-dev/shop.yaml" in text
        assert '"the ***" → ["***",{"***":1}]' in text


def test_a_secret_that_is_our_own_text_breaks_nothing():
    """A secret may equal the marker, the fence, or the words around the plan."""
    secrets = (MARKER, "```diff", "</details>", "provisioning", "File/motd", "infra")
    for with_secrets, without in zip(
        render(*secrets, manifest_changes=(differ("x", "y"),)),
        render(manifest_changes=(differ("x", "y"),)),
        strict=True,
    ):
        assert with_secrets == without


def test_errors_are_redacted_and_keep_their_places():
    """An error is copied: the original still says what it said."""
    source = Source("infra/shop-dev/a.yaml", 3)
    one = InvalidManifest("no hunter2 here", hint="not hunter2", source=source)
    two = InvalidManifest("nor hunter2", source=source)
    text, _ = render("hunter2", error=InvalidWorkspace([one, two]))
    assert "hunter2" not in text
    assert text.count("infra/shop-dev/a.yaml:3: ") == 2
    assert one.message == "no hunter2 here"


def test_nothing_is_cut_from_the_whole_plan_and_no_command_anywhere():
    """What is applied can be read before: the comment links to all of it."""
    long, command = "x" * 5_000, ["sh", "-c", "echo " + "y" * 5_000]
    lines = "\n".join(map(str, range(500)))
    for value, is_cut in ((long, True), (command, False), (lines, True)):
        comment, whole = render(manifest_changes=(differ("old", value),))
        words = value[-1] if isinstance(value, list) else value.split("\n")[-1]
        assert words in whole
        assert (words not in comment) is is_cut
        assert "[the whole plan](/shop-dev)" in comment
