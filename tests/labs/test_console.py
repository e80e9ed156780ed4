"""The console: what it runs, what it refuses and why, and that nothing gets past the parser."""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tutor.errors import Refused
from tutor.labs.console import Console, filters
from tutor.labs.console.flags import COMMANDS, REFUSED_COMMANDS, REFUSED_FLAGS, Takes
from tutor.labs.console.kubectl import plan
from tutor.labs.console.line import split
from tutor.labs.console.regex import Regex


@pytest.fixture(scope="module")
def lab_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("lab")
    (root / "work").mkdir()
    (root / "home").mkdir()
    (root / "work" / "policy.yaml").write_text("kind: NetworkPolicy\n# two\n")
    (root / "secret.yaml").write_text("secret")
    (root / "work" / "link.yaml").symlink_to(root / "secret.yaml")
    (root / "work" / "dir").mkdir()
    return root


def _argv(line: str, root: Path) -> list[str]:
    return list(plan(split(line)[0][1:], root / "work").argv)


@pytest.mark.parametrize(
    ("line", "argv"),
    [
        ("kubectl get pods", "get pods"),
        ("kubectl get pods -n shop -owide", "get --namespace=shop --output=wide pods"),
        ("kubectl -n shop get pods", "get --namespace=shop pods"),
        ("kubectl --namespace=shop get pods -A -w", "get --namespace=shop --all-namespaces=true --watch=true pods"),
        ("kubectl get po -Ao name", "get --all-namespaces=true --output=name po"),
        ("kubectl get pods -l 'app in (web, api)'", "get¦--selector=app in (web, api)¦pods"),
        ("kubectl get pods --watch=false", "get --watch=false pods"),
        ("kubectl logs -f deploy/web --tail=5", "logs --follow=true --tail=5 deploy/web"),
        ("kubectl exec web -- wget -qO- http://api/", "exec web -- wget -qO- http://api/"),
        (
            "kubectl exec -it web -c main -- sh -c 'echo $HOME | cat'",
            "exec¦--container=main¦web¦--¦sh¦-c¦echo $HOME | cat",
        ),
        ("kubectl apply -f policy.yaml --dry-run=server", "apply --filename=./policy.yaml --dry-run=server"),
        ("kubectl apply -f ./policy.yaml --dry-run", "apply --filename=./policy.yaml --dry-run=unchanged"),
        ("kubectl label pod web tier=front --overwrite", "label --overwrite=true pod web tier=front"),
        ("kubectl label ns shop team-", "label ns shop team-"),
        ("kubectl patch netpol p -p '{\"spec\":{}}' --type merge", 'patch¦--patch={"spec":{}}¦--type=merge¦netpol¦p'),
        ("kubectl rollout status deploy/web", "rollout status deploy/web"),
        ("kubectl auth can-i get pods", "auth can-i get pods"),
        (
            "kubectl run t --rm -i --image=busybox:1.36 --restart=Never -- nslookup web",
            "run --rm=true --stdin=true --image=busybox:1.36 --restart=Never t -- nslookup web",
        ),
        ("kubectl get pods # everything", "get pods"),
    ],
)
def test_what_is_run(lab_dir: Path, line: str, argv: str) -> None:
    assert _argv(line, lab_dir) == argv.split("¦" if "¦" in argv else " ")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (
            "kubectl get pods --kubeconfig=/etc/passwd",
            "--kubeconfig is refused: it would make kubectl speak to another",
        ),
        ("kubectl --kubeconfig x get pods", "--kubeconfig is refused"),
        ("kubectl -s https://x get pods", "-s is refused"),
        ("kubectl get pods -s https://x", "-s is refused"),
        ("kubectl get pods --server https://x", "--server is refused"),
        ("kubectl get pods --token=x", "--token is refused: it would make kubectl act as somebody else"),
        ("kubectl get pods --as admin", "--as is refused"),
        ("kubectl get pods --as-group=system:masters", "--as-group is refused"),
        ("kubectl get pods --context x", "--context is refused"),
        ("kubectl get pods --insecure-skip-tls-verify", "was not checked"),
        ("kubectl get --raw /api", "--raw is refused"),
        ("kubectl get pods --cache-dir=/tmp", "--cache-dir is refused"),
        ("kubectl get pods --profile cpu", "--profile is refused"),
        ("kubectl apply -k .", "-k is refused"),
        ("kubectl create configmap x --from-file=/etc/passwd", "--from-file is refused"),
        ("kubectl get pods -o jsonpath-file=/etc/passwd", "output format jsonpath-file is refused"),
        ("kubectl get pods -o go-template-file=x", "output format go-template-file is refused"),
        ("kubectl get pods --tokens=x", "takes no --tokens here"),
        ("kubectl get pods -Z", "takes no -Z here"),
        ("kubectl exec web wget -T 1 x", "Put -- before the program's own words"),
        ("kubectl get -- pods", "takes no -- here"),
        ("kubectl get pods -n", "-n needs a value"),
        ("kubectl edit netpol p", "edit needs a terminal of its own. Change the object in the editor"),
        ("kubectl config view", "config changes which cluster"),
        ("kubectl port-forward web 80", "kubetutor lab shell"),
        ("kubectl cp web:/etc/passwd .", "cp reads and writes files"),
        ("kubectl frobnicate", "frobnicate is not a command this console runs"),
        ("kubectl rollout", "It takes: status"),
        ("kubectl", "needs a command"),
        ("kubectl apply -f /etc/passwd", "only files of this lab"),
        ("kubectl apply -f ../secret.yaml", "only files of this lab"),
        ("kubectl apply -f link.yaml", "leads out of this lab's files"),
        ("kubectl apply -f dir", "There is no file dir"),
        ("kubectl apply -f nothing.yaml", "There is no file nothing.yaml"),
        ("kubectl apply -f https://x/y.yaml", "no URL is read here"),
        ("kubectl apply -f policy.yaml,/etc/passwd", "only files of this lab"),
        ("kubectl apply -f -", "Use the editor"),
        ("kubectl apply -f policy.yaml -R", "-R is refused"),
        ("kubectl apply -f - <<EOF", "Write the manifest in the editor"),
        ("kubectl get pods > out", "Output is not written to files"),
        ("kubectl get pods; ls", "; is not run here"),
        ("kubectl get pods && ls", "&& is not run here"),
        ("kubectl get pods &", "background"),
        ("kubectl get pods $(id)", "Nothing is substituted"),
        ('kubectl get pods "`id`"', "Nothing is substituted"),
        ("kubectl get pods -n $NS", "Variables are not expanded"),
        ("kubectl get pods 'x", "column 18 is never closed"),
        ("kubectl get pods | sh", "grep, head, tail and wc only, not to sh"),
        ("kubectl get pods |", "nothing on one side"),
        ("kubectl get pods | grep", "takes one pattern"),
        ("kubectl get pods | grep -f x", "grep takes no -f here"),
        ("kubectl get pods | grep -E '(a'", "never closes it"),
        ("kubectl get pods | head -n x", "is not a number"),
        ("nslookup api", "To run it inside a pod: kubectl exec"),
        ("bash", "this console runs kubectl"),
        ("cat ../secret.yaml", "only files of this lab"),
        ("cat link.yaml", "leads out"),
        ("ls /", "takes no path"),
        ("kubectl get " + "x" * 5000, "may have 4000 characters"),
        ("kubectl get pods\x07", "cannot be typed"),
    ],
)
def test_what_is_refused_and_why(lab_dir: Path, line: str, says: str) -> None:
    out = list(Console().run(lab_dir, "", line))
    assert out[-1] == {"exit": 2}
    assert says in out[-2]["text"]
    assert out[-2]["stream"] == "error"


def test_every_refused_command_names_itself(lab_dir: Path) -> None:
    for name in REFUSED_COMMANDS:
        with pytest.raises(Refused, match=name):
            plan([name], lab_dir / "work")


def test_no_allowed_flag_is_also_refused_everywhere() -> None:
    reads_elsewhere = {
        "kubeconfig",
        "server",
        "token",
        "as",
        "context",
        "cluster",
        "user",
        "cache-dir",
        "raw",
        "template",
    }
    create_user = {"create"}  # rolebinding --user names a subject, not who asks
    for name, command in COMMANDS.items():
        assert not (reads_elsewhere - ({"user"} if name in create_user else set())) & set(command.flags), name


_words = st.one_of(
    st.sampled_from(
        [
            *COMMANDS,
            *(f"--{f}" for f in REFUSED_FLAGS),
            *(f"-{s}" for s in "nofAlwkscitpRLqv"),
            "--",
            "-",
            "=",
            "pods",
            "-f",
        ]
    ),
    st.sampled_from(
        ["policy.yaml", "../secret.yaml", "link.yaml", "/etc/passwd", "https://x/y", "./policy.yaml", "dir/.."]
    ),
    st.builds(
        lambda f, v: f"--{f}={v}",
        st.sampled_from(sorted({*REFUSED_FLAGS, "filename", "patch-file", "output"})),
        st.text(max_size=8),
    ),
    st.text(st.sampled_from("-=nfAokscltw/.,:xyz"), max_size=7),
)


@settings(max_examples=1500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(_words, max_size=8))
def test_nothing_gets_past_the_parser(lab_dir: Path, words: list[str]) -> None:
    try:
        argv = plan(words, lab_dir / "work").argv
    except Refused:
        return
    command = COMMANDS[argv[0]]
    ours = argv[: argv.index("--")] if "--" in argv else argv
    flags = [a for a in ours[1:] if a.startswith("-")]
    plain = [a for a in ours[1:] if not a.startswith("-")]
    # Flags stand before words, each is spelled --name=value, and each is in the table of this very command.
    assert list(ours[1:]) == flags + plain
    for flag in flags:
        name, equals, value = flag[2:].partition("=")
        assert flag.startswith("--")
        assert equals == "="
        takes = command.flags[name]
        if takes is Takes.FILE:
            assert set(value.split(",")) == {"./policy.yaml"}
        if takes is Takes.OUTPUT:
            assert "-file" not in value.partition("=")[0]
    assert not any("://" in a for a in plain)
    if "--" in argv:
        assert command.dash


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from("kubectl get'\"\\|$`;&<>()#xy "), max_size=40))
def test_any_line_is_read_or_refused(line: str) -> None:
    try:
        commands = split(line)
    except Refused:
        return
    assert commands


def _pipe(text: str, *commands: str) -> str:
    pipes = [filters.make(split(c)[0]) for c in commands]
    lines = text.splitlines()
    for pipe in pipes:
        out: list[str] = []
        for line in lines:
            if pipe.done:
                break
            out += pipe.feed(line)
        lines = out + list(pipe.finish())
    return "\n".join(lines)


PODS = "NAME  READY\nweb-1  1/1\napi-1  1/1\ndb-1  0/1"


@pytest.mark.parametrize(
    ("commands", "out"),
    [
        (["grep web"], "web-1  1/1"),
        (["grep -v 1/1"], "NAME  READY\ndb-1  0/1"),
        (["grep -c 1/1"], "2"),
        (["grep -i NAME", "wc -l"], "1"),
        (["grep -E 'web|db'"], "web-1  1/1\ndb-1  0/1"),
        (["grep 'web\\|db'"], "web-1  1/1\ndb-1  0/1"),
        (["grep -F '0/1'"], "db-1  0/1"),
        (["grep -n api"], "3:api-1  1/1"),
        (["grep -o '[a-z]*-1'"], "web-1\napi-1\ndb-1"),
        (["grep -w READY"], "NAME  READY"),
        (["grep -A1 web"], "web-1  1/1\napi-1  1/1"),
        (["grep -B 1 web"], "NAME  READY\nweb-1  1/1"),
        (["grep -m1 -- -1"], "web-1  1/1"),
        (["head -n 1"], "NAME  READY"),
        (["head -2", "tail -1"], "web-1  1/1"),
        (["tail -n +4"], "db-1  0/1"),
        (["wc -w"], "8"),
        (["wc -c"], "44"),
    ],
)
def test_pipes(commands: list[str], out: str) -> None:
    assert _pipe(PODS, *commands) == out


def test_grep_tells_whether_anything_matched() -> None:
    pipe = filters.make(["grep", "nothing"])
    assert list(pipe.feed("web")) == []
    assert pipe.code == 1


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)*b", "(.*a){12}", "a*a*a*a*a*b"])
def test_no_pattern_takes_for_ever(pattern: str) -> None:
    line = "a" * 4000 + "c"
    assert Regex(pattern, extended=True).matches(line) == ("{12}" in pattern)


@settings(max_examples=400, deadline=None)
@given(
    st.text(st.sampled_from("ab|()*.^$[]"), max_size=8),
    st.lists(st.text(st.sampled_from("ab c"), max_size=6), max_size=4),
)
def test_matching_agrees_with_python(pattern: str, lines: list[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of nested sets, which Python may come to know
        try:
            theirs, ours = re.compile(pattern), Regex(pattern, extended=True)
        except (re.error, Refused):
            return
    for line in lines:
        assert ours.matches(line) == bool(theirs.search(line))


def test_ls_cat_and_help(lab_dir: Path) -> None:
    def text(line: str) -> str:
        out: list[dict[str, Any]] = list(Console().run(lab_dir, "", line))
        assert out[-1] == {"exit": 0}
        assert json.dumps(out)
        return "".join(c.get("text", "") for c in out)

    assert "policy.yaml\n" in text("ls")
    assert text("cat policy.yaml | grep '# two'") == "# two\n"
    assert "rollout" in text("help")
    assert text("   ") == ""
