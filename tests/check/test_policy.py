"""modelprov.toml: what it may say, what it may not, and where it is looked for."""

from pathlib import Path

import pytest

from modelprov.check.policy import Policy, find_policy, load_policy, parse_policy
from modelprov.check.results import Severity
from modelprov.check.rules import RULES
from modelprov.errors import UsageError

KNOWN = {one.id: one.name for one in RULES.values()}
FULL = """
[check]
candidates = ["nex-agi/Nex-N2-Pro", "./parents/qwen", "here", "org/base=./base"]
controls = ["../sibling"]
expected_digest = "sha256:0123456789abcdef"
sample = true
baseline = "accepted.json"
required = ["MP101", "licence-incompatible", "MP101"]

[rules]
MP301 = "off"
mp302 = "warn"
front-matter-invalid = "note"
MP107 = "ERROR"
"""


def parse(text):
    return parse_policy(text, Path("/somewhere/modelprov.toml"), KNOWN)


def test_a_full_policy_is_read_with_its_paths_from_its_own_folder(tmp_path):
    (tmp_path / "here").mkdir()
    (tmp_path / "modelprov.toml").write_text(FULL, encoding="utf-8-sig")
    policy = load_policy(tmp_path / "modelprov.toml", KNOWN)
    assert policy == Policy(
        path=tmp_path / "modelprov.toml",
        candidates=(
            "nex-agi/Nex-N2-Pro", f"{tmp_path}/parents/qwen", f"{tmp_path}/here", f"org/base={tmp_path}/base",
        ),
        controls=(str(tmp_path / "../sibling"),),
        expected_digest="sha256:0123456789abcdef",
        sample=True,
        baseline=tmp_path / "accepted.json",
        required=("MP101", "MP201"),
        severities={
            "MP301": Severity.OFF, "MP302": Severity.WARNING, "MP602": Severity.NOTE, "MP107": Severity.ERROR,
        },
    )  # fmt: skip
    assert policy.severity("MP301", Severity.ERROR) is Severity.OFF
    assert policy.severity("MP101", Severity.ERROR) is Severity.ERROR


def test_an_empty_policy_changes_nothing():
    assert parse("") == Policy(path=Path("/somewhere/modelprov.toml"))


@pytest.mark.parametrize(
    ("text", "message", "advice"),
    [
        ("[check]\ncandidate = []", "unknown key in [check]: 'candidate' (did you mean candidates?)", "baseline"),
        ("[chekc]\n", "unknown section: 'chekc' (did you mean check?)", "rules"),
        ("check = 3", "check is a table, written [check]", ""),
        ("[rules]\nMP1O1 = 'off'", "unknown rule in [rules]: 'MP1O1' (did you mean MP101?)", "MP602 front-matter"),
        ("[rules]\nundeclared-parents = 'off'", "(did you mean undeclared-parent?)", "MP101 undeclared-parent"),
        ("[rules]\nMP101 = 'fatal'", "MP101 = 'fatal': known: error, warning, note, off, warn", ""),
        ("[rules]\nMP101 = true", "MP101 = True", ""),
        ("[rules]\nMP101 = 'off'\nundeclared-parent = 'error'", "MP101 (undeclared-parent) is set twice", ""),
        ("[check]\nrequired = ['MP999']", "required: unknown rule: 'MP999'", ""),
        ("[check]\nrequired = ['MP101']\n[rules]\nMP101 = 'off'", "MP101 is required and off", ""),
        ("[check]\nsample = 1", "check.sample", ""),
        ("[check]\ncandidates = 'a'", "check.candidates", ""),
        ("[check]\ncandidates = [1]", "check.candidates.0", ""),
        ("[check]\nexpected_digest = ''", "check.expected_digest", ""),
        ("[check", "not valid TOML", ""),
        ("a = 1\na = 2", "not valid TOML", ""),
        ("a = " + "[" * 5000, "not valid TOML", ""),
    ],
)
def test_what_is_wrong_is_said_with_what_is_known(text, message, advice):
    with pytest.raises(UsageError) as caught:
        parse(text)
    assert message in caught.value.message
    assert advice in caught.value.advice
    assert caught.value.advice


def test_a_policy_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "modelprov.toml").write_bytes(b"\xff\xfe[check]")
    with pytest.raises(UsageError, match="not UTF-8"):
        load_policy(tmp_path / "modelprov.toml", KNOWN)


def test_a_policy_is_found_above_the_model_but_never_in_it(tmp_path):
    model = tmp_path / "repository" / "models" / "rio"
    model.mkdir(parents=True)
    (model / "modelprov.toml").write_text("")
    (tmp_path / "modelprov.toml").write_text("")
    assert find_policy(model) == tmp_path / "modelprov.toml"
    (tmp_path / "repository" / ".git").mkdir()
    assert find_policy(model) is None
    (tmp_path / "repository" / "modelprov.toml").write_text("")
    assert find_policy(model) == tmp_path / "repository" / "modelprov.toml"
