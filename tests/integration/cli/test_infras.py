def test_an_infra_that_is_gone_from_git_is_not_forgotten(shop):
    """What is recorded of it is planned for removal, blocked until allowed, and then removed."""
    shop.run("apply", "--yes")
    shop.git("rm", "-rq", "infra/web")
    shop.commit()
    assert "the desired state is empty, and 3 resources would be deleted" in shop.run(
        "plan", expected=3
    )
    assert "etc/motd" in shop.live()
    shop.run("reconcile", "web", "--allow", "prune")
    assert shop.live() == {}
    assert "no infra yet" in shop.run("plan")
    assert "3 deleted" in shop.run("log", "web")


def test_infras_do_not_touch_each_other(shop, render_files):
    """Each has its own log, lock and marks; a hold of one lets the other go on."""
    shop.commit(render_files(["a"]), "infra/app/files.yaml")
    shop.run("lock", "hold", "web", "--reason", "audit")
    assert "audit" in shop.run("reconcile", "web", expected=4)
    shop.run("reconcile", "app")
    assert shop.live() == {"d/a.txt": "xa"}


def test_the_shallow_are_told_what_they_miss(shop, tmp_path):
    """Whether a commit follows another cannot be known in a shallow clone; the hint says how."""
    shop.run("apply", "--yes")
    shop.commit()
    shop.commit()
    shallow = tmp_path / "shallow"
    source = shop.folder.as_uri()
    shop.git("clone", "-q", "--depth", "1", "--branch", "main", source, str(shallow))
    shop.git("-C", str(shallow), "fetch", "-q", source, "provisioning/web:provisioning/web")
    shop.folder = shallow
    assert "git fetch --unshallow" in shop.run("plan", expected=1)


def test_the_user_s_own_things_are_never_touched(shop):
    """HEAD, index, work tree and hooks are as they were, and no hook of the user's is run."""
    git = shop.folder / ".git"
    for name in ("pre-commit", "post-commit", "reference-transaction", "pre-push", "post-checkout"):
        hook = git / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\ntouch {shop.folder}/ran-{name}\nexit 1\n")
        hook.chmod(0o755)
    (shop.folder / "infra/web/draft.yaml").write_text("not: committed\n")

    def look():
        kept = ("HEAD", "index", "config", "refs/heads/main", "logs/HEAD")
        return {name: (git / name).read_bytes() for name in kept}

    before = look()
    shop.run("apply", "--yes")
    shop.run("reconcile")
    shop.run("plan")
    assert look() == before
    assert not list(shop.folder.glob("ran-*"))


def test_a_password_in_a_url_is_never_shown(shop):
    """Settings and errors show where, and not with what."""
    settings = shop.folder / "config/provisioning.yaml"
    text = settings.read_text(encoding="utf-8")
    url = "http://ana:hunter2@127.0.0.1:9/shop.git"
    settings.write_text(text.replace("remote: null", f"remote: {url}"), encoding="utf-8")
    told = [
        shop.run("config", "show"),
        shop.run("config", "show", "-o", "json"),
        shop.run("config", "explain", "remote"),
        shop.run("config", "explain", "remote", "-o", "yaml"),
        shop.run("plan", expected=1),
        shop.run("plan", "-o", "json", expected=1),
    ]
    assert all("hunter2" not in each and "127.0.0.1:9" in each for each in told)


def test_a_setting_that_reads_another_infra_orders_them(shop):
    """What names the setting goes after what the setting reads, and reads it at once."""
    settings = shop.folder / "config/provisioning.yaml"
    with settings.open("a", encoding="utf-8") as file:
        file.write('\nvalues: {lan: "{{infra.znet.Value/lan.output}}"}\n')
    shop.write(
        "apiVersion: provisioning/v1\nkind: Value\nmetadata: {name: lan}\nspec: {input: ten}\n",
        "infra/znet/lan.yaml",
    )
    shop.commit(
        "apiVersion: provisioning/v1\nkind: File\nmetadata: {name: lan}\n"
        'spec: {path: lan, content: "{{config.values.lan}}"}\n'
    )
    shop.run("reconcile")
    assert shop.live()["lan"] == "ten"
