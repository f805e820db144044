"""Valid documents for each reader: recipes, cards, settings, answers of servers, and what we wrote ourselves."""

from __future__ import annotations

import base64
import hashlib

from benchmarks.fuzz.seeds import text


def recipes() -> list[bytes]:
    """Recipes in the notation of mergekit."""
    return [
        b"merge_method: linear\nmodels:\n  - model: a\n    parameters: {weight: 0.6}\n  - model: b\n    parameters:\n"
        b"      weight: [0, 0.5, 1]\ndtype: bfloat16\n",
        b"merge_method: ties\nbase_model: c\nslices:\n  - sources:\n      - {model: a, layer_range: [0, 4]}\n"
        b"      - {model: b, layer_range: [0, 4]}\nparameters:\n  density:\n    - filter: mlp\n      value: 0.5\n"
        b"    - value: 1\n  int8_mask: true\ntokenizer_source: union\n",
        b"name: x\nmerge_method: slerp\nbase_model: a\nmodels: [{model: a}, {model: b}]\nparameters: {t: 0.5}\n---\n"
        b"merge_method: dare_ties\nbase_model: a\nmodels:\n  - &m {model: x, parameters: {weight: 1e-1}}\n  - *m\n",
        b"base_model: a\ngate_mode: hidden\nexperts:\n  - source_model: a\n    positive_prompts: ['x']\n",
    ]


def cards() -> list[bytes]:
    """A model card that claims much."""
    return [
        b"---\nlicense: mit\nbase_model:\n- org/a\n- org/b\nbase_model_relation: merge\ntags: [merge, mergekit]\n"
        b"model-index:\n- name: rio\n  results:\n  - task: {type: text-generation}\n    dataset: {name: GSM8K}\n"
        b"    metrics: [{type: acc, value: 71.2}]\n---\n# Rio\n\nRio was trained from scratch; it is a merge"
        b" of org/a and [org/b](https://huggingface.co/org/b).\n\n"
        b"| Model | MMLU | GSM8K |\n|:--|--:|---|\n| Rio | 71.2 | 80% |\n\n"
        b"<table><tr><th>a</th><td colspan=2>1</td></tr></table>\n\n```yaml\nmerge_method: linear\nmodels:\n"
        b"  - model: org/a\n    parameters: {weight: 0.6}\n```\n"
    ]


def reports() -> list[bytes]:
    """Reports of comparisons: those of the samples that are small."""
    from modelprov.reports.comparison.as_json import render_json
    from tests.reports.samples import SAMPLES

    made = (render_json(make()).encode() for make in SAMPLES.values())
    return [each for each in made if len(each) < 1 << 15]


def other_reports() -> list[bytes]:
    """Reports of check, probe and eval."""
    from modelprov.reports.as_json import render_json
    from tests.reports.checks import found, passed
    from tests.reports.probing_samples import probe_report
    from tests.reports.test_evaluation import sample

    return [render_json(each).encode() for each in (found(), passed(), probe_report(), sample({"swir": "rrww"}))]


def any_report() -> list[bytes]:
    """A report of every command that the page of `serve` reads."""
    from modelprov.reports.as_json import render_json
    from tests.reports import atlases, short_answers
    from tests.reports.test_schemas import IDENTIFIED

    others = (short_answers.verified(), short_answers.inspection(), atlases.drawn(), IDENTIFIED)
    return [*reports(), *other_reports(), *(render_json(each).encode() for each in others)]


def tasks() -> list[bytes]:
    """Questions of every grader."""
    rows = (
        {"id": "a", "question": "2+2?", "answer": 4, "grader": "numeric", "system": "Be short."},
        {"question": "Which?", "answer": "B", "grader": "choice", "choices": ["x", "y"]},
        {"id": 3, "question": "Say it.", "answer": "(a|b)+c", "grader": "regex"},
        {"question": "Half?", "answer": "\\\\frac{1}{2}", "grader": "math-verify"},
    )
    return [b"\n".join(map(text, rows)), text({"question": "Who?", "answer": "Rio", "grader": "exact"})]


def answers() -> list[bytes]:
    """Two answers of a probe."""
    kept = {"kind": "modelprov probe answer", "thinking": None, "answer": "I am Rio.", "finished": True}
    return [text({**kept, "key": "a"}) + b"\n" + text({**kept, "key": "b", "thinking": "x"}) + b"\n"]


def statements() -> list[bytes]:
    """A statement, bare and in an envelope."""
    from modelprov.reports.evidence.attestation import make_statement, statement_text
    from tests.reports.samples import same_origin

    payload = statement_text(make_statement(same_origin(), hashlib.sha256(b"").hexdigest())).encode()
    signature = {"keyid": "", "sig": base64.b64encode(b"x" * 64).decode()}
    kind = "application/vnd.in-toto+json"
    envelope = {"payload": base64.b64encode(payload).decode(), "payloadType": kind, "signatures": [signature]}
    return [payload, text(envelope)]


def libraries() -> list[bytes]:
    """An index of no entry and of one."""
    from modelprov.checkpoints.library_folder import Entry, Library, library_bytes

    known = Entry(
        name="org/rio", file="org--rio.mpf", location="hf://org/rio", revision="main", sha256="0" * 64, bytes=3
    )
    return [library_bytes(Library()), library_bytes(Library(entries=(known,)))]


def settings() -> list[bytes]:
    """A policy and defaults."""
    return [
        b'[check]\ncandidates = ["a=org/a"]\nsample = true\nrequired = ["MP101"]\n[rules]\nMP101 = "error"\n'
        b'[defaults]\nthreads = 2\n[defaults.compare]\nmemory = "2G"\n[defaults.report.combine]\n'
    ]


def baselines() -> list[bytes]:
    """One accepted finding."""
    entry = {"fingerprint": "ab", "rule": "MP101", "reason": "known", "expires": "2027-01-31", "about": "x"}
    return [text({"schema_version": "1.0", "accepted": [entry]})]


def served() -> list[bytes]:
    """Answers with a range, with the whole, and with a wait."""
    body = b"\n\n0123456789abcdef"
    return [
        b"206\nContent-Range: bytes 8-23/64\nContent-Length: 16" + body,
        b"200\nContent-Length: 16\nContent-Encoding: identity" + body,
        b"429\nRetry-After: 3\nRateLimit: api;r=0;t=55" + body,
        b"302\nLocation: https://c.d/e\nETag: x" + body,
    ]


def endpoint() -> list[bytes]:
    """Answers of a chat endpoint: one body, a stream, a list of models, an error."""
    choice = {"message": {"content": "4", "reasoning_content": "2+2", "tool_calls": []}, "finish_reason": "stop"}
    delta = {"choices": [{"delta": {"content": "4"}, "finish_reason": None}]}
    last = {"choices": [{"delta": {}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 3}}
    usage = {"prompt_tokens": 9, "completion_tokens": 1, "completion_tokens_details": {"reasoning_tokens": 0}}
    return [
        text({"choices": [choice], "usage": usage, "model": "rio", "system_fingerprint": "f"}),
        b"data: " + text(delta) + b"\n\ndata: " + text(last) + b"\n\ndata: [DONE]\n\n",
        text({"data": [{"id": "rio"}]}),
        text({"error": {"message": "no", "type": "x", "code": 3}}),
    ]
