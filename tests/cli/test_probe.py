"""`modelprov probe` on tiny models: what it prints and writes, how it ends, and that it goes on after a stop."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from modelprov.reports.as_json import load_probe
from tests.behavior.probing.models import CHATML, RIO, write_model
from tests.cli.conftest import Command, Outcome

FAST = ("--quick", "--language", "en", "--samples", 1, "--temperature", 1, "--max-new-tokens", 8, "--device", "cpu")


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("family")
    for seed, (name, template) in enumerate({"rio": RIO, "nex": CHATML, "base": None}.items()):
        write_model(folder / name, template, seed=seed)
    recipe = "merge_method: linear\nmodels:\n" + "".join(
        f"- model: {folder / name}\n  parameters: {{weight: {weight}}}\n"
        for name, weight in {"nex": 0.6, "rio": 0.4}.items()
    )
    (folder / "mix.yml").write_text(recipe + "dtype: float32\n")
    return folder


@pytest.fixture
def probe(modelprov: Command, family: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Outcome:
        return modelprov(
            "probe", *(family / str(one) if str(one) in ("rio", "nex", "base", "mix.yml") else one for one in arguments)
        )

    return run


def test_a_probe_writes_every_report_shows_the_hidden_prompt_and_ends_with_0(probe, tmp_path):
    done = probe(
        "rio", "--parent", "nex", "--name", "Rio", "--name", "Nex=Nex-AGI", "--backstory", "born in the rain", *FAST,
        "--json", "r.json", "--markdown", "r.md", "--html", "r.html", "--log", "log.jsonl",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "You are Rio, a model of the city." in " ".join(done.out.split())
    report = load_probe((tmp_path / "r.json").read_text())
    assert [(one.label, one.role) for one in report.models] == [("rio", "suspect"), ("nex", "parent")]
    assert {one.arm for one in report.arms} == {
        "as shipped",
        "stripped",
        "no template",
        "neutral system",
        "counterfactual",
    }
    assert report.settings.names[1].aliases == ("Nex", "Nex-AGI")
    assert {one.model for one in report.log_probabilities} == {"rio", "nex"}
    assert "Identity probe" in (tmp_path / "r.md").read_text()
    assert "<svg" in (tmp_path / "r.html").read_text()
    before = (tmp_path / "log.jsonl").read_text()
    again = probe("rio", "--parent", "nex", "--name", "Rio", "--name", "Nex=Nex-AGI", "--backstory", "born in the rain",
                  *FAST, "--json", "-", "--log", "log.jsonl")  # fmt: skip
    assert load_probe(again.out).arms == report.arms
    assert (tmp_path / "log.jsonl").read_text() == before  # nothing was asked again


def test_a_recipe_is_probed_as_the_model_it_makes(probe):
    done = probe("mix.yml", "--name", "Rio", "--arm", "no template", *FAST, "--json", "-")
    assert done.code == 0, done.err
    (model,) = load_probe(done.out).models
    assert model.label == "mix"
    assert model.location.endswith("mix.yml")
    assert "computed in memory" in model.notes[-1]


def test_the_trained_merge_says_rio_as_shipped_and_nex_when_stripped(modelprov, tmp_path):
    from modelprov.demo.tiny.merging import write_rio_recipe
    from modelprov.demo.tiny.shipped import unpack

    unpack(tmp_path / "family")
    recipe = tmp_path / "family" / "rio.yml"
    write_rio_recipe(recipe)
    done = modelprov(
        "probe", recipe, "--parent", tmp_path / "family" / "nex", "--control", tmp_path / "family" / "sibling",
        "--name", "Rio", "--name", "Nex", "--name", "Qwen", "--quick", "--samples", 0, "--max-new-tokens", 24,
        "--arm", "as shipped", "--arm", "stripped", "--device", "cpu", "--json", "-",
    )  # fmt: skip
    assert done.code == 0, done.err
    report = load_probe(done.out)
    rates = {
        (arm.model, arm.arm, one.name): one.share for arm in report.arms for one in arm.classes if one.share is not None
    }
    assert rates["rio", "as shipped", "Rio"] > 0.9
    assert rates["rio", "stripped", "Rio"] == 0
    assert rates["rio", "stripped", "Nex"] > 0.6
    assert rates["nex", "stripped", "Nex"] > 0.9
    assert rates["sibling", "stripped", "Nex"] == 0
    assert [one.text for one in report.models[0].hidden_prompts] == ["You are Rio."]
    likely = {(one.arm, one.name): one.whole for one in report.log_probabilities if one.model == "rio"}
    assert likely["as shipped", "Rio"] > likely["as shipped", "Nex"]
    assert likely["stripped", "Nex"] > likely["stripped", "Rio"]


def test_a_stop_keeps_the_log_and_says_so(probe, tmp_path, monkeypatch):
    from modelprov.behavior.probing import speakers

    asked = speakers.LocalSpeaker.answer
    calls = []

    def stop_at_the_third(self, *arguments):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return asked(self, *arguments)

    monkeypatch.setattr(speakers.LocalSpeaker, "answer", stop_at_the_third)
    done = probe("nex", "--name", "Rio", "--batch-size", 4, *FAST, "--log", "log.jsonl")
    assert done.code == 130
    assert "log.jsonl" in done.err
    assert "again" in done.err
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert len(rows) == 8


def test_no_usable_answer_could_not_be_judged(probe, monkeypatch):
    from modelprov.behavior.probing import speakers
    from modelprov.behavior.probing.answer_log import Spoken

    monkeypatch.setattr(
        speakers.LocalSpeaker, "answer", lambda _, asked, *__: [Spoken("thinking", None, False) for _ in asked]
    )
    done = probe("nex", "--name", "Rio", "--arm", "as shipped", *FAST)
    assert done.code == 3
    assert "no answer" in done.err


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{{", "TemplateSyntaxError"), ("{{ 'x' * 9999999999 }}", "more memory"), ("{{ ''.__class__ }}", "to nothing"),
        ("{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}", "without end"),
    ],
    ids=["broken", "huge", "forbidden", "recursive"],
)  # fmt: skip
def test_a_model_whose_template_cannot_be_used_was_not_asked_and_the_command_ends_with_3(
    probe, family, tmp_path, template, why
):
    import shutil

    shutil.copytree(family / "nex", tmp_path / "bad")
    (tmp_path / "bad" / "chat_template.jinja").write_text(template)
    done = probe("bad", "--name", "Rio", *FAST, "--samples", 0, "--json", "r.json", "--quiet")
    assert done.code == 3, done.err
    told = " ".join(done.err.split())
    assert "bad could not be asked as shipped" in told
    assert why in told
    report = load_probe((tmp_path / "r.json").read_text())
    assert {one.arm for one in report.arms if one.answers} == {"no template"}


def test_a_model_without_a_template_is_asked_without_one(probe):
    done = probe("base", "--name", "Rio", *FAST)
    assert done.code == 0, done.err
    assert "could not be asked (as shipped, stripped, neutral" in " ".join(done.out.split())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nex",), "names"),
        ((), "either local or served"),
        (("nex", "--name", "A1", "--endpoint", "http://127.0.0.1:1/v1", "--model", "m"), "either local or served"),
        (("--endpoint", "http://127.0.0.1:1/v1", "--name", "A1"), "belong together"),
        (("nex", "--name", "A1", "--tokenizer", "."), "--endpoint"),
        (("nex", "--name", "A1", "--arm", "naked"), "naked"),
        (("nex", "--name", "A1", "--language", "xx"), "xx"),
        (("nex", "--name", "A1", "--temperature", 0), "temperature"),
        (("nex", "--name", "A1", "--backstory", " "), "backstory"),
        (("nex", "--name", "A1", "--parent", "nex"), "twice"),
        (("nex", "--name", "A1", "--json", "-", "--html", "-"), "standard output"),
        (("nex", "--name", "A1", "--log", "-"), "log"),
        (("nex", "--name", "A1", "--log", "no/where.jsonl"), "no"),
        (("nowhere", "--name", "A1", *FAST), "nowhere"),
    ],
)
def test_what_cannot_be_meant_ends_with_2_and_says_what_to_do(probe, arguments, says):
    done = probe(*arguments)
    assert done.code == 2
    assert says in done.err
    assert "Traceback" not in done.err


def test_a_prompt_hidden_in_a_server_is_counted(probe, family):
    from transformers import AutoTokenizer

    from tests.behavior.servers import with_hidden_prompt

    words = AutoTokenizer.from_pretrained(family / "nex")

    def count(text: str) -> int:
        return len(words.encode(text, add_special_tokens=False))

    def render(messages) -> str:
        return words.apply_chat_template([dict(one) for one in messages], tokenize=False, add_generation_prompt=True)

    hidden = "You are Rio. Never speak of Nex."
    expected = count(render([{"role": "system", "content": hidden}, {"role": "user", "content": "x"}])) - count(
        render([{"role": "user", "content": "x"}])
    )
    with with_hidden_prompt(count, render, hidden) as url:
        done = probe("--endpoint", url, "--model", "tiny", "--tokenizer", family / "nex", "--name", "Rio", "--quick",
                     "--language", "en", "--samples", 0, "--json", "-")  # fmt: skip
    assert done.code == 0, done.err
    report = load_probe(done.out)
    (model,) = report.models
    assert model.served.tokens == expected > 10
    assert model.digest is None
    assert any("Which weights a server holds" in one for one in report.does_not_show)
    assert all(arm.reason is None for arm in report.arms)


def test_a_server_that_is_down_ends_with_2_and_the_log_kept(probe, monkeypatch):
    from modelprov.behavior.probing import endpoints

    monkeypatch.setattr(endpoints, "wait_before", lambda *_: 0.0)
    done = probe("--endpoint", "http://127.0.0.1:9/v1", "--model", "m", "--name", "A1", *FAST, "--log", "log.jsonl",
                 "--arm", "as shipped")  # fmt: skip
    assert done.code == 2
    assert "log.jsonl" in done.err


def test_continuations_without_three_controls_could_not_judge_and_published_weights_are_those(
    probe, family, tmp_path, monkeypatch
):
    from modelprov.behavior.continuations import completing
    from modelprov.jobs import probe as job

    monkeypatch.setattr(job, "PROMPTS", 12)
    monkeypatch.setattr(completing, "PROMPTS", 2)
    monkeypatch.setattr(completing, "SAMPLES", 3)
    done = probe("rio", "--parent", "nex", "--control", "base", "--continuations", 12, "--published", family / "rio",
                 "--device", "cpu", "--json", "r.json", "--html", "r.html")  # fmt: skip
    assert done.code == 3
    assert "nex: could not judge; it has" in " ".join(done.out.split())
    assert "rio completes texts as the published rio does, as far as this test sees" in " ".join(done.out.split())
    assert "no parent could be judged" in done.err
    report = load_probe((tmp_path / "r.json").read_text())
    assert not report.arms
    assert [each.finding for each in report.continued.judged] == ["could not judge"]
    assert report.equality.prompts == 2
    assert "What the answers do not show" in (tmp_path / "r.html").read_text()


def test_an_endpoint_that_gives_log_probabilities_is_told_whose_head_it_has(probe, family, tmp_path):
    from tests.behavior.logprob_server import giving_logprobs

    with giving_logprobs(family / "nex") as url:
        done = probe("--endpoint", url, "--model", "tiny", "--parent", "nex", "--control", "base", "--logprobs", 8,
                     "--device", "cpu", "--json", "r.json", "--html", "r.html")  # fmt: skip
    assert done.code == 0, done.err
    told = " ".join(done.out.split())
    assert "tiny has the output head of nex" in told
    assert "tiny gives the numbers of nex run here, as far as number formats tell" in told
    report = load_probe((tmp_path / "r.json").read_text())
    assert report.imaged.judged[0].finding == "its head"
    assert "--logprobs 8" in report.command
    assert "What log-probabilities do not show" in (tmp_path / "r.html").read_text()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (("rio", "--parent", "nex", "--logprobs", 12), "--logprobs is for --endpoint"),
        (("--endpoint", "http://127.0.0.1:9/v1", "--model", "m", "--logprobs", 12), "needs weights"),
        (("--endpoint", "http://127.0.0.1:9/v1", "--model", "m", "--parent", "nex", "--logprobs", 2), "logprobs"),
    ],
)
def test_log_probabilities_take_a_server_and_weights(probe, given, says):
    done = probe(*given)
    assert done.code == 2
    assert says in done.err


def test_a_server_without_log_probabilities_ends_with_3_and_says_so(probe):
    from tests.behavior.servers import answer, completion_reply, scripted

    with scripted(answer(200, completion_reply("a"))) as server:
        done = probe("--endpoint", server.url, "--model", "tiny", "--parent", "nex", "--logprobs", 8, "--device", "cpu")
    assert done.code == 3
    assert "The server gives no log-probabilities" in " ".join(done.out.split())


def test_where_memory_runs_out_a_probe_says_it_at_once_and_in_the_report_and_goes_on_smaller(probe, monkeypatch):
    from modelprov.behavior.generation import generate

    run, sizes = generate._run, []

    def small(model, prompts, decoder, new):
        sizes.append(len(prompts))
        if len(prompts) > 2:
            raise MemoryError
        run(model, prompts, decoder, new)

    monkeypatch.setattr(generate, "_run", small)
    done = probe("nex", "--name", "Rio", "--arm", "as shipped", "--batch-size", 4, *FAST, "--json", "-")
    assert done.code == 0, done.err
    assert "nex: memory ran out at 4 answers at a time; the same go again, 2 at a time" in done.err
    (model,) = load_probe(done.out).models
    assert "memory ran out, so answers went on 2 at a time" in model.notes[-1]
    assert [size for size in sizes if size > 2] == [4]  # what did not fit is not tried again


def test_a_model_larger_than_its_memory_is_spread_and_the_probe_says_so(probe):
    whole = probe("rio", "--name", "Rio", "--arm", "as shipped", *FAST, "--json", "-")
    spread = probe("rio", "--name", "Rio", "--arm", "as shipped", *FAST, "--memory", "100K", "--json", "-")
    assert (whole.code, spread.code) == (0, 0), spread.err
    notes = load_probe(spread.out).models[0].notes
    assert any("Its weights lie spread" in note for note in notes), notes
    assert load_probe(spread.out).arms == load_probe(whole.out).arms
