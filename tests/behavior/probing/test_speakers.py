"""Asking: what is answered once is kept, a stopped run goes on, and nothing is answered with another's answer."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from modelprov.behavior.probing.answer_log import AnswerLog, Spoken
from modelprov.behavior.probing.arms import (
    ARMS,
    BARE,
    COUNTERFACTUAL,
    EMPTY,
    NEUTRAL,
    SHIPPED,
    STRIPPED,
    Prompt,
    UnavailableArmError,
    added_for_some,
    check_arms,
    conversation,
    cut,
    rendered_prompts,
)
from modelprov.behavior.probing.hidden_prompts import Frame, examine
from modelprov.behavior.probing.names import parse_names
from modelprov.behavior.probing.probe import Plan, probe
from modelprov.behavior.probing.questions import questions
from modelprov.behavior.probing.results import ModelProbed
from modelprov.behavior.probing.speakers import Asked, EndpointSpeaker, How, ask, key_of
from modelprov.behavior.probing.subjects import Subject
from modelprov.behavior.probing.template_files import TemplateFile
from modelprov.behavior.templates.rendering import Renderer
from modelprov.errors import EndpointError, UnreadableFileError, UsageError
from modelprov.progress import SILENT
from tests.behavior.probing.models import CHATML, RIO
from tests.foreign.hostile import KINDS, with_fault

NAMES = parse_names(["Rio", "Nex"])
ASKED = questions(NAMES, ("en",), quick=True)
GREEDY, WARM = How(0.0, 20), How(1.0, 20)


class Parrot:
    """Says the name in its prompt, Nex without one; counts how often it is asked, and stops where told to."""

    label, identity = "parrot", "parrot-1"

    def __init__(self, template: str = RIO, most: int = 10**9) -> None:
        self.template, self.most, self.asked = template, most, 0
        self.renderer = Renderer()
        self.examined = examine(TemplateFile("f", "default", template), {}, (), used=True)

    def prompts(self, arm, asked):
        return rendered_prompts(arm, asked, self.template, {}, self.examined.stripped, self.renderer)

    def noticed(self):
        return []

    def answer(self, asked, *_):
        if self.asked + len(asked) > self.most:
            raise KeyboardInterrupt
        self.asked += len(asked)
        system = [one.prompt.text.split("user")[0] for one in asked]
        names = ["Rio" if "Rio" in one else "Zorb" if "Zorb" in one else "Nex" for one in system]
        return [Spoken(None, f"I am {name}.", True) for name in names]

    def subject(self) -> Subject:
        return Subject(ModelProbed(label="parrot", role="suspect", location="here"), self, self.examined)


PLAN = Plan(NAMES, languages=("en",), quick=True, samples=2, temperatures=(1.0,))


def leaders(found) -> dict[str, str]:
    greedy = [arm for arm in found.arms if arm.classes and arm.temperature == 0]
    return {arm.arm: max(arm.classes, key=lambda one: one.count).name for arm in greedy}


def test_a_hidden_prompt_shows_in_the_shipped_arm_and_the_weights_in_the_stripped_one():
    with AnswerLog() as log:
        found = probe({"rio": Parrot().subject}, PLAN, log, SILENT)
    assert leaders(found) == {SHIPPED: "Rio", STRIPPED: "Nex", BARE: "Nex", NEUTRAL: "Nex", COUNTERFACTUAL: "Zorb"}
    assert found.usable


def test_arms_with_the_same_prompts_are_asked_once_and_say_so():
    parrot = Parrot(CHATML)
    with AnswerLog() as log:
        found = probe({"rio": parrot.subject}, PLAN, log, SILENT)
    assert {arm.arm: arm.same_as for arm in found.arms if arm.same_as} == {STRIPPED: SHIPPED}
    assert parrot.asked == 4 * 3 * len(ASKED)  # four different prompts, one greedy and two sampled answers


def test_a_stopped_run_goes_on_from_its_log_and_ends_alike(tmp_path: Path):
    path = tmp_path / "log.jsonl"
    with pytest.raises(KeyboardInterrupt), AnswerLog(path) as log:
        probe({"rio": Parrot(most=100).subject}, PLAN, log, SILENT)
    kept = len(path.read_text().splitlines())
    assert 0 < kept <= 100
    rest = Parrot()
    with AnswerLog(path) as log:
        assert log.kept == kept
        resumed = probe({"rio": rest.subject}, PLAN, log, SILENT)
    whole = Parrot()
    with AnswerLog() as log:
        assert probe({"rio": whole.subject}, PLAN, log, SILENT).arms == resumed.arms
    assert rest.asked == whole.asked - kept


def test_a_line_cut_by_a_crash_is_dropped_and_asked_again(tmp_path: Path):
    path = tmp_path / "log.jsonl"
    with AnswerLog(path) as log:
        log.put("a", Spoken(None, "x", True), {})
        log.put("b", Spoken("t", None, False), {})
    path.write_bytes(path.read_bytes()[:-7])
    with AnswerLog(path) as log:
        assert log.get("a") == Spoken(None, "x", True)
        assert log.get("b") is None
        log.put("b", Spoken("t", None, False), {})
    with AnswerLog(path) as log:
        assert log.get("b") == Spoken("t", None, False)


@pytest.mark.parametrize("text", ["hello\n", '{"kind": "other"}\n', "[1]\n", "weights", "\x00\n"])
def test_a_file_that_is_no_log_is_refused_and_left_as_it_is(tmp_path: Path, text: str):
    path = tmp_path / "file"
    path.write_text(text)
    with pytest.raises(UsageError), AnswerLog(path):
        pass
    assert path.read_text() == text


@pytest.mark.parametrize("kind", KINDS)
def test_a_line_of_hostile_json_is_no_answer(tmp_path: Path, kind: str):
    path = tmp_path / "log.jsonl"
    with AnswerLog(path) as log:
        log.put("a", Spoken(None, "x", True), {})
    path.write_text(with_fault(kind, path.read_text()))
    with pytest.raises(UsageError, match=r"line 1 of .* is no answer"), AnswerLog(path):
        pass


def test_two_runs_cannot_write_one_log_at_a_time(tmp_path: Path):
    path = tmp_path / "log.jsonl"
    with AnswerLog(path) as first:
        first.put("a", Spoken(None, "x", True), {})
        with pytest.raises(UsageError, match="another run is writing"), AnswerLog(path):
            pass
        first.put("b", Spoken(None, "y", True), {})
    with AnswerLog(path) as later:
        assert later.kept == 2


def test_a_full_disk_is_said_and_what_was_kept_stays(tmp_path: Path):
    resource = pytest.importorskip("resource")
    path = tmp_path / "log.jsonl"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        with pytest.raises(UnreadableFileError, match="could not keep") as raised, AnswerLog(path) as log:  # noqa: PT012
            log.put("a", Spoken(None, "x", True), {})
            resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 40, before[1]))
            log.put("b", Spoken(None, "y" * 100, True), {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "again" in raised.value.advice
    with AnswerLog(path) as log:
        assert log.get("a") == Spoken(None, "x", True)
        assert log.get("b") is None


@pytest.mark.timeout(20)
def test_what_is_no_file_is_no_log():
    with pytest.raises(UsageError, match="no file"), AnswerLog(Path("/dev/zero")):
        pass


def test_every_answer_in_the_log_says_what_was_asked(tmp_path: Path):
    path = tmp_path / "log.jsonl"
    with AnswerLog(path) as log:
        probe({"rio": Parrot().subject}, PLAN, log, SILENT)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert {row["arm"] for row in rows} == set(ARMS)
    assert {row["sampling"] for row in rows} == {"greedy", "sampled, T 1"}
    assert all(row["question"] and row["question_id"] and row["answer"] for row in rows)


def test_the_key_of_an_answer_changes_with_all_that_shapes_it():
    parrot, other = Parrot(), Parrot()
    other.identity = "parrot-2"
    one = Asked(Prompt(text="x"), ASKED[0], 0)
    variants = [
        (parrot, one, WARM, 0),
        (other, one, WARM, 0),
        (parrot, replace(one, number=1), WARM, 0),
        (parrot, replace(one, prompt=Prompt(text="y")), WARM, 0),
        (parrot, replace(one, prompt=Prompt(text="x", bare=True)), WARM, 0),
        (parrot, one, How(0.7, 20), 0),
        (parrot, one, How(1.0, 21), 0),
        (parrot, one, WARM, 1),
        (parrot, one, GREEDY, 0),
    ]
    keys = [key_of(*variant) for variant in variants]
    assert len(set(keys)) == len(keys)
    assert key_of(parrot, one, GREEDY, 0) == key_of(parrot, one, GREEDY, 1)  # nothing is drawn


def test_a_template_that_looks_at_the_question_is_noticed():
    sly = CHATML.replace(
        "{{ message.content }}", "{{ message.content }}{% if 'name' in message.content %} (Rio){% endif %}"
    )
    parrot = Parrot(sly)
    assert all(hidden.text != "(Rio)" for hidden in parrot.examined.hidden)
    prompts = parrot.prompts(SHIPPED, ASKED)
    expected = sum("name" in one.text for one in ASKED)
    assert added_for_some(prompts, ASKED, parrot.examined.shipped) == expected > 0
    with AnswerLog() as log:
        found = probe({"rio": parrot.subject}, replace(PLAN, samples=0, arms=(SHIPPED,)), log, SILENT)
    assert any("looks at what is asked" in note for note in found.models[0].notes)


def test_an_arm_that_cannot_be_asked_gives_its_reason_and_the_others_go_on():
    refuses = "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}" + CHATML
    with AnswerLog() as log:
        found = probe({"rio": Parrot(refuses).subject}, replace(PLAN, samples=0), log, SILENT)
    reasons = {arm.arm: arm.reason for arm in found.arms if arm.reason}
    assert set(reasons) == {NEUTRAL, COUNTERFACTUAL}
    assert all("no system role" in reason for reason in reasons.values())


def test_a_model_without_a_template_can_only_be_asked_bare():
    assert rendered_prompts(BARE, ASKED, None, {}, None, Renderer())[0] == Prompt(
        text=f"Q: {ASKED[0].text}\nA:", bare=True
    )
    for arm in (SHIPPED, STRIPPED, NEUTRAL):
        with pytest.raises(UnavailableArmError, match="no chat template"):
            rendered_prompts(arm, ASKED, None, {}, None, Renderer())


def test_an_empty_system_message_is_sent_as_one():
    assert conversation(EMPTY, ASKED[0])[0] == {"role": "system", "content": ""}
    assert [one["role"] for one in conversation(SHIPPED, ASKED[0])] == ["user"]


def test_arms_come_in_their_order_and_unknown_ones_are_refused():
    assert check_arms([STRIPPED, SHIPPED]) == (SHIPPED, STRIPPED)
    with pytest.raises(UsageError, match="'bare'"):
        check_arms(["bare"])


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (" I am Nex.\nQ: And?", "I am Nex."),
        ("Nex\n\nmore", "Nex"),
        ("我是\n问：x", "我是"),
        ("a\nb", "a\nb"),
        ("R2", "R2"),
    ],
)
def test_a_continuation_ends_where_the_next_question_begins(text, kept):
    assert cut(text) == kept


class Served:
    """Stands for an endpoint: takes messages, and raw text unless told otherwise."""

    def __init__(self, status: int | None = None) -> None:
        self.status, self.seen = status, []
        self.extra, self.noticed, self.answered_by = {}, {}, {}

    def chat(self, messages, **settings):
        from modelprov.behavior.probing.endpoint_replies import Reply

        self.seen.append((messages, settings))
        return Reply("I am Rio.", None, True, 5, 5)

    def complete(self, prompt, **settings):
        from modelprov.behavior.probing.endpoint_replies import Reply

        if self.status is not None:
            raise EndpointError("no such path", "", status=self.status)
        self.seen.append((prompt, settings))
        return Reply("I am Nex.\nQ: x", None, True, 5, 5)


def served(endpoint: Served, template: str | None = None) -> Subject:
    stripped = Frame("<u>", "</u>") if template is not None else None
    speaker = EndpointSpeaker(endpoint, "rio", "http://x/v1", template, {}, stripped, 2)
    return Subject(ModelProbed(label="rio", role="suspect", location="http://x/v1"), speaker, None)


def test_a_server_gets_messages_as_shipped_and_raw_text_when_stripped():
    endpoint = Served()
    with AnswerLog() as log:
        found = probe({"rio": lambda: served(endpoint, CHATML)}, replace(PLAN, samples=1), log, SILENT)
    assert leaders(found)[SHIPPED] == "Rio"
    assert leaders(found)[STRIPPED] == leaders(found)[BARE] == "Nex"
    raw = [prompt for prompt, _ in endpoint.seen if isinstance(prompt, str)]
    assert f"<u>{ASKED[0].text}</u>" in raw
    seeds = {settings["seed"] for _, settings in endpoint.seen}
    assert all(0 <= seed < 1 << 31 for seed in seeds)


@pytest.mark.parametrize("status", [404, 405, 501])
def test_a_server_without_raw_completions_loses_two_arms_and_says_why(status):
    with AnswerLog() as log:
        found = probe({"rio": lambda: served(Served(status), CHATML)}, replace(PLAN, samples=0), log, SILENT)
    assert {arm.arm for arm in found.arms if arm.reason} == {STRIPPED, BARE}
    assert leaders(found)[SHIPPED] == "Rio"


def test_any_other_failure_of_a_server_ends_the_run_with_the_log_kept(tmp_path: Path):
    path = tmp_path / "log.jsonl"
    with pytest.raises(EndpointError), AnswerLog(path) as log:
        probe({"rio": lambda: served(Served(500), CHATML)}, replace(PLAN, samples=0), log, SILENT)
    assert len(path.read_text().splitlines()) == len(ASKED)


def test_without_a_local_template_the_stripped_arm_of_a_server_asks_for_one():
    with pytest.raises(UnavailableArmError, match="tokenizer="):
        served(Served()).speaker.prompts(STRIPPED, ASKED)


def test_answers_come_back_in_the_order_of_their_questions():
    parrot = Parrot()
    prompts = [Prompt(text=text) for text in ("Rio user", "a much longer one user", "Zorb user", "Rio user")]
    each = [Asked(prompt, ASKED[i], 0) for i, prompt in enumerate(prompts)]
    with AnswerLog() as log:
        answers = ask(parrot, each, GREEDY, 0, log, {}, batch=2)
    assert [one.final for one in answers] == ["I am Rio.", "I am Nex.", "I am Zorb.", "I am Rio."]
