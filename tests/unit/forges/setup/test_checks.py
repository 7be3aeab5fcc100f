import pytest

from provisioning.core.model.errors import RemoteRefused
from provisioning.core.reviews.forge import Permission
from provisioning.forges.gitea.globs import matches
from provisioning.forges.setup.checks import compute_findings, list_obstacles
from provisioning.forges.setup.facts import EVENTS, Facts, Hook, Hosting, Label, Protection, Wanted
from provisioning.forges.setup.findings import SetHook, SetupAction, SetupState
from provisioning.forges.setup.protections import compute_protection, find_effective, list_targets

HOOK = "https://p.example.org/hook"


def build_wanted(**more):
    return Wanted(
        **{
            "url": "https://git.example.org",
            "repository": "ana/shop",
            "branch": "main",
            "infras": ("db", "web"),
            "labels": (Label("provisioning/waiting", "it waits", "fbca04"),),
            "needs_approval": True,
            "applies_first": False,
        }
        | more
    )


def build_facts(**more):
    hosting = {
        "permission": Permission.ADMIN,
        "is_archived": False,
        "is_empty": False,
        "is_mirror": False,
        "has_branch": True,
        "switches": {"has_pull_requests": True, "allow_merge_commits": True},
    }
    inside = {key: more.pop(key) for key in list(more) if key in hosting}
    return Facts(
        **{
            "version": "1.26.0",
            "login": "bot",
            "hosting": Hosting(**hosting | inside),
            "labels": frozenset({"provisioning/waiting"}),
            "protections": (),
            "hooks": (),
        }
        | more
    )


def build_hook(**more):
    return Hook(
        **{
            "id": 4,
            "url": HOOK,
            "events": EVENTS,
            "is_active": True,
            "branches": "",
            "sends_json": True,
            "made": 100.0,
        }
        | more
    )


def find(wanted, facts, subject):
    return next(each for each in compute_findings(wanted, facts) if each.subject == subject)


def settle(wanted, rules=(), login="bot"):
    """Do what the targets ask for, one after the other, as the forge would keep it."""
    rules = list(rules)
    for target in list_targets(wanted, login):
        old, new = compute_protection(target, rules)
        rules = [each for each in rules if each != old] + [new]
        rules.sort(key=lambda each: each.priority)
    return tuple(rules)


RULES = {
    "none": (),
    "lax": (Protection(pattern="main", can_force=True), Protection(pattern="provisioning/**")),
    "shadow": (Protection(pattern="**", pushers=frozenset(), priority=-4),),
    "plain": (Protection(pattern="provisioning/web", pushers=frozenset({"ana"}), priority=1),),
    "signed": (Protection(pattern="provisioning-reviews/**", needs_signatures=True),),
    "guarded": (Protection(pattern="provisioning/**", guarded_files="*.json"),),
}


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
@pytest.mark.parametrize("applies_first", [False, True])
@pytest.mark.parametrize("needs_approval", [False, True])
def test_protections_settle_and_hold(rules, applies_first, needs_approval):
    """What counts for each branch lets the reconciler write its own, and nobody force anything."""
    wanted = build_wanted(applies_first=applies_first, needs_approval=needs_approval)
    settled = settle(wanted, rules)
    for branch in ("provisioning/web", "provisioning/db", "provisioning-reviews/1"):
        rule = find_effective(settled, branch)
        assert "bot" in rule.pushers
        assert not rule.can_force
        assert not rule.needs_signatures
        assert not rule.guarded_files
    main = find_effective(settled, "main")
    assert "provisioning" in main.checks
    assert main.drops_stale
    assert not main.can_force
    assert main.approvals >= needs_approval
    assert not needs_approval or not main.pushers
    assert settle(wanted, settled) == settled


def test_what_is_stricter_is_left():
    """Nothing that people asked for beyond ours is taken away."""
    strict = Protection(
        pattern="main",
        pushers=frozenset({"ana"}),
        checks=("lint", "prov*"),
        approvals=2,
        drops_stale=True,
        needs_signatures=True,
        guarded_files="secret/*",
    )
    assert strict in settle(build_wanted(), [strict])


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"is_active": False}, "it is switched off"),
        ({"events": frozenset({"push"})}, "it is not sent for pull_request"),
        ({"branches": "dev"}, "it is sent for the branches dev alone"),
        ({"sends_json": False}, "it does not send JSON"),
        ({"made": 99.0}, "its secret is not the one in the file"),
    ],
    ids=["off", "events", "branches", "form", "secret"],
)
def test_a_hook_that_would_not_do_is_replaced(more, told):
    """One fault is enough, and is named."""
    wanted = build_wanted(hook=HOOK, secret_made=100.9)
    finding = find(wanted, build_facts(hooks=(build_hook(**more),)), f"webhook {HOOK}")
    assert finding.told.startswith(told)
    assert finding.step.action is SetupAction.REPLACE
    assert finding.step.change == SetHook(HOOK, (4,))


def test_a_good_hook_stays_and_others_are_none_of_ours():
    """A hook for another address is neither counted nor touched."""
    hooks = (build_hook(), build_hook(id=5, url="https://chat.example.org", is_active=False))
    wanted = build_wanted(hook=HOOK, secret_made=100.9)
    assert find(wanted, build_facts(hooks=hooks), f"webhook {HOOK}").standing is SetupState.OK
    wanted = build_wanted(hook=HOOK, secret_made=None)
    assert find(wanted, build_facts(hooks=hooks), f"webhook {HOOK}").step.change.old == (4,)


@pytest.mark.parametrize(
    ("version", "standing"),
    [
        ("1.19.4", SetupState.WRONG),
        ("1.20.0", SetupState.OK),
        ("1.26.0+dev-1-gabc", SetupState.OK),
        ("2.0", SetupState.OK),
        ("main", SetupState.WRONG),
    ],
)
def test_an_old_gitea_is_told(version, standing):
    """Whoever lacks the call that writes the lock hears so before the first run."""
    assert find(build_wanted(), build_facts(version=version), "forge").standing is standing


@pytest.mark.parametrize(
    ("skew", "told"),
    [
        (-61.0, "the forge's is 61 s behind this machine's"),
        (75.0, "the forge's is 75 s ahead of this machine's"),
        (59.0, "the forge's and this machine's agree"),
    ],
)
def test_clocks_that_differ_are_told(skew, told):
    """A wrong clock is worth a word, and stops nothing."""
    findings = compute_findings(build_wanted(), build_facts(skew=skew))
    assert told in [each.told for each in findings]
    assert list_obstacles(findings) == []


@pytest.mark.parametrize(
    ("more", "subject"),
    [
        ({"is_archived": True}, "repository"),
        ({"is_mirror": True}, "repository"),
        ({"permission": Permission.WRITE}, "rights"),
        ({"permission": Permission.READ}, "rights"),
    ],
)
def test_what_only_people_can_put_right_stops_the_setup(more, subject):
    """Half a setup is worse than none."""
    (found,) = list_obstacles(compute_findings(build_wanted(), build_facts(**more)))
    assert found.subject == subject
    assert found.hint


def test_what_is_not_seen_is_not_called_missing():
    """Rules that only an administrator sees are neither there nor gone for anybody else."""
    facts = build_facts(protections=None, hooks=None, permission=Permission.WRITE)
    wanted = build_wanted(hook=HOOK)
    for subject in ("protection of main", f"webhook {HOOK}"):
        finding = find(wanted, facts, subject)
        assert finding.standing is SetupState.UNKNOWN
        assert finding.step is None


def test_a_refusal_ends_the_list_and_is_wrong():
    """Whatever could not be asked, the check does not pass."""
    refusal = RemoteRefused("no", hint="ask")
    facts = Facts(version="1.26.0", refused="token", refusal=refusal)
    *_, last = compute_findings(build_wanted(), facts)
    assert (last.subject, last.standing, last.told, last.hint) == (
        "token",
        SetupState.WRONG,
        "no",
        "ask",
    )
    lacking = Facts(version="1.26.0", missing_scopes=("read:user",))
    assert find(build_wanted(), lacking, "scopes").standing is SetupState.WRONG


@pytest.mark.parametrize(
    ("rule", "name", "is_match"),
    [
        ("main", "MAIN", True),
        ("main", "maint", False),
        ("*", "main", True),
        ("*", "provisioning/web", False),
        ("**", "provisioning/web", True),
        ("provisioning/*", "provisioning/web", True),
        ("provisioning/*", "provisioning/a/b", False),
        ("provisioning/**", "provisioning-reviews/1", False),
        ("p?ovisioning/w[a-f]b", "provisioning/web", True),
        ("p?ovisioning/w[!a-f]b", "provisioning/web", False),
        ("{main,dev/*}", "dev/x", True),
        ("{main,dev/*}", "dev", False),
        ("a.c", "abc", False),
        (r"a\*", "a*", True),
        ("a,b*", "a,bc", True),
    ],
)
def test_patterns_match_whole_names(rule, name, is_match):
    """As gobwas/glob reads them, with `/` as the separator."""
    assert matches(rule, name) is is_match
