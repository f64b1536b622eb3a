"""params.yaml: every fault at once, with its line; changes keep the rest of the file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from acclimate.core.errors import UserError
from acclimate.core.params import load, with_changes

ROOT = Path(__file__).parents[2]


@pytest.fixture
def text() -> str:
    return (ROOT / "params.yaml").read_text(encoding="utf-8")


def _fault(tmp_path: Path, text: str) -> str:
    path = tmp_path / "params.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as fault:
        load(path)
    return str(fault.value)


def test_the_file_in_the_repository_is_valid() -> None:
    params = load(ROOT / "params.yaml")
    assert [source.name for source in params.ingest.selected()] == ["scientific_python", "standard_library"]
    assert params.section("validate") is params.validate_


def test_every_fault_is_told_at_once_with_value_and_line(tmp_path: Path, text: str) -> None:
    wrong = text.replace("  threshold: 0.8 ", "  threshold: 1.8 ").replace("  rank: 16 ", '  rank: "many" ')
    message = _fault(tmp_path, wrong.replace("  seed: 1729", "  seeed: 1729"))
    assert "4 faults" in message
    line = 1 + next(number for number, row in enumerate(wrong.splitlines()) if "threshold: 1.8" in row)
    assert f"params.yaml:{line}: dedup.threshold = 1.8: Input should be less than or equal to 1" in message
    assert "common.seeed = 1729: no such dial" in message
    assert "common.seed: Field required" in message
    assert "training.rank = 'many'" in message


def test_a_fault_in_a_list_names_the_entry_and_its_line(tmp_path: Path, text: str) -> None:
    message = _fault(tmp_path, text.replace("path: inputs/*.jsonl", "path: elsewhere/*.jsonl"))
    line = 1 + next(number for number, row in enumerate(text.splitlines()) if "path: inputs/" in row)
    assert f"params.yaml:{line}: ingest.sources[2].path = 'elsewhere/*.jsonl'" in message


def test_the_commented_sources_are_valid_ones(tmp_path: Path, text: str) -> None:
    path = tmp_path / "params.yaml"
    lines = [re.sub(r"^    # (- | {2,}\w+:)", r"    \1", line) for line in text.splitlines()]
    path.write_text("\n".join(lines), encoding="utf-8")
    added = load(path).ingest.sources[3:]
    assert [source.kind for source in added] == ["s3", "huggingface", "feed"]


def test_a_password_in_an_address_is_not_repeated(tmp_path: Path, text: str) -> None:
    news = (
        "    - {name: news, kind: feed, domain: documents, licence: unknown, url: 'https://me:pw@example.org/feed'}\n"
    )
    message = _fault(tmp_path, text.replace("  sources:\n", f"  sources:\n{news}"))
    assert "ingest.sources[0].url = 'https://***@example.org/feed': no user and password here" in message


def test_a_fault_in_the_mapping_of_a_source_names_its_field(tmp_path: Path, text: str) -> None:
    kind = "      path: inputs/*.jsonl"
    message = _fault(
        tmp_path, text.replace(kind, f"      fields: {{text: 7, txet: body}}\n      encoding: none\n{kind}")
    )
    assert "ingest.sources[2].fields.text = 7" in message
    assert "ingest.sources[2].fields.txet = 'body': no such dial" in message
    assert "ingest.sources[2].encoding = 'none': no such encoding of text" in message
    assert "3 faults" in message


@pytest.mark.parametrize("codec", ["hex", "rot13", "zlib", "base64", "undefined"])
def test_a_codec_that_is_not_of_text_is_no_encoding(tmp_path: Path, text: str, codec: str) -> None:
    kind = "      path: inputs/*.jsonl"
    message = _fault(tmp_path, text.replace(kind, f"      encoding: {codec}\n{kind}"))
    assert f"ingest.sources[2].encoding = '{codec}': no such encoding of text" in message


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("domain_documents: 0.4", "domain_documents: 0.5", "must be 1, got 1.1"),
        ("domain: scientific_python #", "domain: medicine #", "no source has domain 'medicine'"),
        ("flag_words: 8", "flag_words: 14", "must not exceed drop_words"),
        ("validation_share: 0.2", "validation_share: 0.9", "leave a share for training"),
        ("name: inputs", "name: standard_library", "distinct names"),
        ("combination: cat ", "combination: ties", "the task adapter was trained upon the whole domain adapter"),
        ("task_weight: 1.0", "task_weight: 0.5", "train both adapters with train_task.start_from: base"),
    ],
)
def test_sections_check_what_no_single_value_shows(tmp_path: Path, text: str, old: str, new: str, reason: str) -> None:
    assert old in text
    assert reason in _fault(tmp_path, text.replace(old, new))


def test_a_penalty_on_a_change_that_is_not_added_is_refused(tmp_path: Path, text: str) -> None:
    changes = {"training.strategy": "dora", "train_domain.penalty": "ewc"}
    message = _fault(tmp_path, with_changes(text, changes))
    assert "train_domain.penalty is ewc and training.strategy is dora" in message


def test_nothing_is_sent_to_a_base_that_is_not_there(tmp_path: Path, text: str) -> None:
    changes: dict[str, object] = {"endpoint.base_below": 0.05}
    message = _fault(tmp_path, with_changes(text, changes))
    assert "endpoint.base_below is 0.05 and package.weights is quantized" in message
    path = tmp_path / "right.yaml"
    path.write_text(with_changes(text, {**changes, "package.weights": "adapter"}), encoding="utf-8")
    assert load(path).endpoint.base_below == 0.05


def test_what_needs_whole_weights_is_refused_beside_four_bits(tmp_path: Path, text: str) -> None:
    changes = {"training.base_weights": "nf4", "train_domain.penalty": "ewc"}
    message = _fault(tmp_path, with_changes(text, changes))
    assert "train_domain.penalty is ewc and training.base_weights is nf4" in message


@pytest.mark.parametrize(
    ("dial", "value", "reason"),
    [
        ("train_task.start_from", "base", "two models that were wholly trained side by side do not add up"),
        ("training.base_weights", "nf4", "weights in four bits cannot be trained"),
    ],
)
def test_all_weights_are_trained_one_stage_upon_the_other_and_whole(
    tmp_path: Path, text: str, dial: str, value: str, reason: str
) -> None:
    assert reason in _fault(tmp_path, with_changes(text, {"training.strategy": "full", dial: value}))


PAIRS = {"path": "inputs/preference/*.jsonl", "prompt": "question", "chosen": "better", "rejected": "worse"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"training.processes": 1}, "there is nothing to spread the model over"),
        ({"train_task.batch_sequences": 7}, "train_task.batch_sequences, 7, is no multiple of training.processes, 2"),
        ({"training.base_weights": "nf4"}, "packed weights cannot be spread"),
        ({"train_domain.penalty": "l2_sp"}, "the penalty is computed from whole weights"),
        ({"align.enabled": True, "decontaminate.preferences": PAIRS}, "the model does that it starts from"),
    ],
)
def test_a_model_is_spread_over_processes_that_compute_alike(
    tmp_path: Path, text: str, changes: dict[str, object], reason: str
) -> None:
    spread = {"training.sharding": "fsdp", "training.processes": 2}
    assert reason in _fault(tmp_path, with_changes(text, {**spread, **changes}))


def test_a_process_without_a_sequence_is_refused(tmp_path: Path, text: str) -> None:
    message = _fault(tmp_path, with_changes(text, {"training.processes": 9}))
    assert "training.processes is 9 and train_domain.batch_sequences is 8" in message


def test_a_file_that_is_not_yaml_names_the_line(tmp_path: Path) -> None:
    assert "line 2" in _fault(tmp_path, "common:\n  seed: [1\n")


def test_an_empty_file_is_one_clear_fault(tmp_path: Path) -> None:
    assert "the file as a whole" in _fault(tmp_path, "")


def test_a_missing_file_says_where_to_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        load(tmp_path / "params.yaml")


def test_changes_replace_values_and_nothing_else(tmp_path: Path, text: str) -> None:
    changed = with_changes(text, {"training.rank": 8, "registry.approval": True, "base.model": "models/mine: v2"})
    path = tmp_path / "params.yaml"
    path.write_text(changed, encoding="utf-8")
    params = load(path)
    assert (params.training.rank, params.registry.approval, params.base.model) == (8, True, "models/mine: v2")
    differing = [new for old, new in zip(text.splitlines(), changed.splitlines(), strict=True) if old != new]
    assert len(differing) == 3
    assert all("#" in line for line in differing), "the comments stay"


def test_a_change_of_something_that_is_no_dial_is_refused(text: str) -> None:
    with pytest.raises(UserError, match=r"no single value at 'training\.ranks'"):
        with_changes(text, {"training.ranks": 8})
    with pytest.raises(UserError, match="no single value at 'training'"):
        with_changes(text, {"training": 8})


def test_a_form_that_is_packaged_and_not_made_is_refused(tmp_path: Path, text: str) -> None:
    wrong = with_changes(text, {"package.weights": "gguf-q8_0"})
    assert "package.weights is gguf-q8_0 and quantize.forms is [], so it would not be made" in _fault(tmp_path, wrong)
    path = tmp_path / "params.yaml"
    path.write_text(wrong.replace("forms: [] ", "forms: [gguf-q8_0] "), encoding="utf-8")
    assert load(path).package.is_gguf
