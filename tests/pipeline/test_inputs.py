"""The inputs of a run: which data, which baseline, and whether they are the same as before."""

import dataclasses
from pathlib import Path

import pytest

from components.data_gate.accepted import write_accepted
from components.errors import InputError
from components.labelled_csv.digests import file_digest
from data.fetch import DEFAULT_DESTINATION
from pipeline import inputs
from pipeline.config.paths import SAMPLE_FILE, SCHEMA_FILE, OutputPaths
from pipeline.config.pipeline_config import ConfigError, load_config
from pipeline.inputs import (
    choose_accepted,
    choose_attempt,
    choose_baseline,
    choose_challenges,
    choose_data,
    choose_schema,
    prepare_inputs,
)
from pipeline.results.verdict import Verdict
from serving.versions.version_folder import VersionCard, write_version
from tests.helpers.encoders import write_shell
from tests.helpers.verdicts import a_verdict, an_infra_verdict, write_run
from trainer.encoders.errors import EncoderError
from trainer.encoders.resolve import ResolvedEncoder

ENCODER = ResolvedEncoder(source="embedded", path=Path("/encoder"), digest="sha256:1")


@pytest.fixture(autouse=True)
def work(tmp_path, monkeypatch):
    """A working folder without fetched data, and an encoder that is there at once."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(inputs, "resolve_encoder", lambda source, *, offline, digest: ENCODER)
    return folder


def configure(*overrides: str):
    return load_config(overrides=overrides, environ={})


def write_csv(path: Path, header: str = "title,label") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{header}\nOne,1\nTwo,0\n", encoding="utf-8")
    return path


# ---- Data


def test_without_anything_it_is_the_bundled_sample_and_says_why():
    source = choose_data(configure())
    assert (source.origin, source.csv.paths) == ("sample", (str(SAMPLE_FILE),))
    assert "the bundled sample: no --data, none fetched" in source.description


def test_the_fetched_file_wins_over_the_sample(work):
    path = write_csv(work / DEFAULT_DESTINATION)
    source = choose_data(configure())
    assert (source.origin, source.csv.paths) == ("fetched", (str(path),))
    assert source.description == "data/clickbait.csv · Stop Clickbait, fetched"


def test_the_data_that_is_given_wins_over_the_fetched_file(work):
    write_csv(work / DEFAULT_DESTINATION)
    path = write_csv(work / "mine.csv")
    source = choose_data(configure("data.path=mine.csv"))
    assert (source.origin, source.csv.paths) == ("given", (str(path),))
    assert source.description == "mine.csv · by --data"


def test_several_files_are_described_by_their_number_and_folder(tmp_path):
    for name in "ab":
        write_csv(tmp_path / "in" / f"{name}.csv")
    source = choose_data(configure(f"data.path={tmp_path / 'in'}"))
    assert source.description == f"2 files in {tmp_path / 'in'} · by --data"


def test_data_that_is_given_and_not_there_is_no_reason_to_take_another(work):
    write_csv(work / DEFAULT_DESTINATION)
    with pytest.raises(InputError, match=r"missing\.csv, where there is nothing"):
        choose_data(configure("data.path=missing.csv"))


def test_spans_are_named(tmp_path):
    for day in (1, 2, 3):
        write_csv(tmp_path / f"2026-11-0{day}.csv")
    source = choose_data(configure(f"data.path={tmp_path}/{{DATE}}.csv", "data.window_spans=2"))
    assert source.csv.paths == tuple(str(tmp_path / f"2026-11-0{day}.csv") for day in (2, 3))
    assert source.description == f"2 files in {tmp_path} · spans 2026-11-02, 2026-11-03 · by --data"


# ---- Data to evaluate by


def test_eval_data_is_described_and_counts_for_the_digest_by_what_it_is_for(work):
    train, held_out = write_csv(work / "a.csv"), work / "评估.csv"
    held_out.write_text("title,label\nThree,1\n", encoding="utf-8")
    source = choose_data(configure(f"data.path={train}", f"data.eval_data={held_out}"))
    assert source.paths == (str(train), str(held_out))
    assert source.description == "a.csv · by --data, evaluated on 评估.csv by --eval-data"
    swapped = choose_data(configure(f"data.path={held_out}", f"data.eval_data={train}"))
    both = choose_data(configure(f"data.path={work}/*.csv"))
    assert len({source.digest, swapped.digest, both.digest}) == 3


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["data.eval_data=a.csv"], "--eval-data must be given with --data, whose rows train. Received: --eval-data a"),
        (["data.path=a.csv", "data.eval_data=b.csv"], r"b.csv, whose content is that of \S*a.csv"),
        (["data.path=.", "data.eval_data=a.csv"], r"a.csv, whose content is that of \S*a.csv"),
        (["data.path=a.csv", "data.eval_data=gone.csv"], "Received: gone.csv, where there is nothing"),
        (["data.path=a.csv", "data.eval_data=c.csv"], r"c.csv:1: .* 'title' and 'label'. Received: headline, label"),
    ],
)
def test_eval_data_that_cannot_be(work, overrides, message):
    write_csv(work / "a.csv")
    write_csv(work / "b.csv")
    write_csv(work / "c.csv", "headline,label")
    if overrides[0] == "data.path=.":
        (work / "c.csv").unlink()
    with pytest.raises(InputError, match=message):
        choose_data(configure(*overrides))


# ---- Answers that stand for labels


def test_label_fixes_are_described_and_count_by_their_content(work):
    data, fixes = write_csv(work / "data.csv"), work / "fixes.csv"
    fixes.write_text("title,answer\nA,1\nB,\n", encoding="utf-8")
    plain = choose_data(configure(f"data.path={data}"))
    fixed = configure(f"data.path={data}", f"data.label_fixes={fixes}")
    source = choose_data(fixed)
    assert source.description.endswith("by --data, 1 answers of data.label_fixes")
    assert source.label_fixes is not None
    assert (source.label_fixes.paths, source.fixes_digest) == ((str(fixes),), file_digest(str(fixes)))
    fixes.write_text("title,answer\nA,0\n", encoding="utf-8")
    assert len({plain.digest, source.digest, choose_data(fixed).digest}) == 3
    fixes.write_text("title,answer\nA,perhaps\n", encoding="utf-8")
    with pytest.raises(InputError, match="fixes.csv:2: an answer of data.label_fixes must be 0 or 1"):
        choose_data(fixed)


def test_split_column_and_eval_data_exclude_each_other():
    with pytest.raises(ConfigError, match="data: split_column and eval_data must not be given together"):
        configure("data.split_column=fold", "data.eval_data=b.csv")


def test_every_file_of_a_folder_must_have_the_columns(tmp_path):
    write_csv(tmp_path / "in" / "a.csv")
    write_csv(tmp_path / "in" / "b.csv", header="headline,label")
    with pytest.raises(
        InputError,
        match=r"b\.csv:1: the first line must have .* 'title' and 'label'. Received: headline, label. .*--text-column",
    ):
        choose_data(configure(f"data.path={tmp_path / 'in'}"))


# ---- Schema and accepted data


def test_the_schema_is_the_committed_one_or_the_one_that_is_given(work):
    assert choose_schema(configure()).path == SCHEMA_FILE
    (work / "mine.pbtxt").write_bytes(SCHEMA_FILE.read_bytes())
    mine = choose_schema(configure("data.schema_file=mine.pbtxt"))
    assert mine.path == work / "mine.pbtxt"
    assert mine.digest == choose_schema(configure()).digest
    with pytest.raises(InputError, match=r"schema_file=.*missing\.pbtxt"):
        choose_schema(configure("data.schema_file=missing.pbtxt"))


@pytest.fixture
def accept(tmp_path):
    statistics = tmp_path / "statistics"
    statistics.mkdir()
    return lambda folder, fingerprint, rows=300: str(write_accepted(folder, statistics, fingerprint, "some data", rows))


def test_data_is_compared_with_the_newest_that_was_accepted_and_is_other_data(tmp_path, accept):
    folder = tmp_path / "accepted"
    assert choose_accepted(folder, "mine", 300) == "none"
    accept(folder, "mine")
    assert choose_accepted(folder, "mine", 300) == "none"
    other = accept(folder, "other")
    accept(folder, "mine")
    assert choose_accepted(folder, "mine", 300) == other


def test_data_of_too_few_rows_is_nothing_to_be_compared_with(tmp_path, accept):
    folder = tmp_path / "accepted"
    large = accept(folder, "large", 300)
    accept(folder, "small", 299)
    assert choose_accepted(folder, "mine", 300) == large


def test_a_schema_that_is_none_is_refused_at_once(work):
    for content in (b"feature {", b"# Sch\xf6n", b"feature { struct_domain { " * 9_999):
        (work / "mine.pbtxt").write_bytes(content)
        with pytest.raises(InputError, match=r"mine\.pbtxt: the schema must be a .*Schema"):
            choose_schema(configure("data.schema_file=mine.pbtxt"))


def test_the_sample_is_no_measure_of_other_data(work):
    sample = prepare_inputs(configure())
    path = write_csv(work / "mine.csv")
    mine = prepare_inputs(configure(f"data.path={path}"))
    assert sample.accepted_data.parent == mine.accepted_data.parent
    assert sample.accepted_data != mine.accepted_data


@pytest.mark.parametrize(
    ("override", "same"),
    [
        ("data.limit_rows=50", False),
        ("data.train_buckets=8", False),
        ("data.labels={0: 1, 1: 0}", False),
        ("gate.drift=warn", True),
        ("training.epochs=9", True),
    ],
)
def test_data_is_other_data_when_it_is_read_otherwise(override, same):
    one, other = prepare_inputs(configure()), prepare_inputs(configure(override))
    assert (one.data_fingerprint == other.data_fingerprint) is same


# ---- Behaviours


def test_the_english_cases_are_for_stop_clickbait_alone_unless_they_are_given(work):
    path = write_csv(work / "mine.csv")
    mine = f"data.path={path}"
    assert prepare_inputs(configure()).behaviours == ""
    assert prepare_inputs(configure(mine)).behaviours == ""
    given = prepare_inputs(configure(mine, "evaluation.behaviours=english")).behaviours
    assert "plain news" in given
    write_csv(DEFAULT_DESTINATION)
    assert prepare_inputs(configure()).behaviours == given
    for overrides in (["evaluation.behaviours=null"], []):
        config = load_config("own" if not overrides else "default", overrides=overrides, environ={})
        assert prepare_inputs(config).behaviours == ""


def test_the_fetched_data_under_another_name_is_stop_clickbait_too(monkeypatch, work):
    path = write_csv(work / "mine.csv")
    digest = choose_data(configure(f"data.path={path}")).digest
    monkeypatch.setattr(inputs, "CSV_SHA256", digest.removeprefix("sha256:"))
    assert "plain news" in prepare_inputs(configure(f"data.path={path}")).behaviours


def test_cases_of_ones_own_count_by_their_content(work):
    text = "groups: [{group: mine, expected: news, titles: [%s]}]"
    for name, title in (("one.yaml", "Storm"), ("copy.yaml", "Storm"), ("other.yaml", "Rain")):
        (work / name).write_text(text % title)
    least = "evaluation.min_behaviours_passed={mine: 0.5}"
    one, copy, other = (
        prepare_inputs(configure(f"evaluation.behaviours={name}.yaml", least)) for name in ("one", "copy", "other")
    )
    assert one.behaviours == copy.behaviours == '{"groups":[{"group":"mine","expected":"news","titles":["Storm"]}]}'
    assert one.fingerprint == copy.fingerprint != other.fingerprint
    with pytest.raises(InputError, match="must name groups of evaluation.behaviours. Received: 'mine'; there are none"):
        prepare_inputs(configure(least))
    with pytest.raises(InputError, match="Received: 'mine'; there are 'plain news', 'plain clickbait'"):
        prepare_inputs(configure(least, "evaluation.behaviours=english"))


# ---- Baseline


@pytest.fixture
def push(tmp_path):
    model = write_shell(tmp_path / "model")

    def push(serving: Path, fingerprint: str) -> str:
        return str(write_version(model, serving, VersionCard("sha256:1", "run", fingerprint, "now")))

    return push


def test_without_versions_there_is_no_baseline(tmp_path):
    assert choose_baseline(tmp_path / "serving", "mine") == "none"


def test_the_baseline_is_the_newest_version_of_another_fingerprint(tmp_path, push):
    push(tmp_path, "other")
    newest_other = push(tmp_path, "another")
    push(tmp_path, "mine")
    push(tmp_path, "mine")
    assert choose_baseline(tmp_path, "mine") == newest_other


def test_a_run_is_no_baseline_of_itself(tmp_path, push):
    push(tmp_path, "mine")
    assert choose_baseline(tmp_path, "mine") == "none"


def test_a_version_that_somebody_else_put_there_or_damaged_is_no_baseline(tmp_path, push):
    write_shell(tmp_path / "7")
    damaged = push(tmp_path, "other")
    (tmp_path / damaged / "saved_model.pb").write_bytes(b"graph")
    assert choose_baseline(tmp_path, "mine") == "none"


# ---- Run and fingerprint


def test_after_a_refusal_by_infra_validation_the_next_run_validates_anew_and_later_ones_do_not(tmp_path):
    first = choose_attempt(tmp_path, "local")
    for run_id, blessed in [("r1", True), ("r2", False), ("r3", False), ("r4", True)]:
        write_run(tmp_path, a_verdict(run_id=run_id, infra=an_infra_verdict(blessed=blessed)))
    write_run(tmp_path, Verdict(run_id="r5", status="interrupted"))
    assert choose_attempt(tmp_path, "local") == choose_attempt(tmp_path, "local") != first
    assert "r3" in choose_attempt(tmp_path, "local")
    assert choose_attempt(tmp_path, "path /bin/server") != choose_attempt(tmp_path, "local")


@pytest.mark.parametrize(
    ("override", "same"),
    [
        ("output=elsewhere", True),
        ("cache=false", True),
        ("data.path=copy.csv", True),
        ("encoder.offline=true", True),
        (f"encoder.digest=sha256:{'0' * 64}", True),
        ("infra.golden_rows=9", True),
        ("push.keep_versions=9", True),
        ("training.epochs=9", False),
        ("training.seed=9", False),
        ("training.casing=lower", False),
        ("training.learning_rate=0.1", False),
        ("evaluation.min_eval_accuracy=0.5", False),
        ("data.limit_rows=99", False),
        ("data.train_buckets=8", False),
    ],
)
def test_the_fingerprint_changes_with_what_a_model_is_made_of_and_with_nothing_else(work, override, same):
    for name in ("mine.csv", "copy.csv"):
        write_csv(work / name)
    first = prepare_inputs(configure("data.path=mine.csv")).fingerprint
    second = prepare_inputs(configure("data.path=mine.csv", override)).fingerprint
    assert (first == second) is same


def test_columns_of_slices_make_no_other_data_and_no_other_model(work):
    write_csv(work / "mine.csv", "title,label,source")
    one, other = (
        prepare_inputs(configure("data.path=mine.csv", f"data.slice_columns={columns}"))
        for columns in ("[]", "[source]")
    )
    assert (one.data_fingerprint, one.fingerprint) == (other.data_fingerprint, other.fingerprint)


def test_the_fingerprint_changes_with_the_data(work):
    path = write_csv(work / "mine.csv")
    before = prepare_inputs(configure("data.path=mine.csv")).fingerprint
    path.write_text("title,label\nOne,0\n", encoding="utf-8")
    assert prepare_inputs(configure("data.path=mine.csv")).fingerprint != before


def test_the_fingerprint_changes_with_the_encoder_s_content_and_not_with_its_name(monkeypatch):
    before = prepare_inputs(configure()).fingerprint
    for change, same in (({"source": "/a/copy"}, True), ({"digest": "sha256:2"}, False)):
        other = dataclasses.replace(ENCODER, **change)
        monkeypatch.setattr(inputs, "resolve_encoder", lambda source, *, offline, digest, other=other: other)
        assert (prepare_inputs(configure()).fingerprint == before) is same


def test_inputs_hold_the_baseline_of_the_configured_output(push):
    config = configure("output=there", "model_name=mine")
    version = push(OutputPaths.of(config).serving_model, "other")
    found = prepare_inputs(config, run_id="r1")
    assert (found.run_id, found.baseline_version, found.encoder) == ("r1", version, ENCODER)
    assert prepare_inputs(configure("output=elsewhere")).baseline_version == "none"


def test_the_encoder_is_asked_for_as_configured(monkeypatch):
    def refuse(source, *, offline, digest):
        raise EncoderError(f"{source} {offline} {digest}")

    monkeypatch.setattr(inputs, "resolve_encoder", refuse)
    digest = f"sha256:{'0' * 64}"
    with pytest.raises(EncoderError, match=f"/my/encoder True {digest}"):
        prepare_inputs(configure("encoder.source=/my/encoder", "encoder.offline=true", f"encoder.digest={digest}"))


def test_output_paths_are_absolute_and_below_the_output(work, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    paths = OutputPaths.of(configure("output=out", "model_name=mine"))
    assert paths == OutputPaths(
        runs=work / "out" / "runs",
        pipeline_root=work / "out" / "tfx",
        metadata=work / "out" / "metadata.db",
        inputs=work / "out" / "inputs",
        accepted_data=work / "out" / "accepted_data",
        serving_model=work / "out" / "serving" / "mine",
        monitor=work / "out" / "monitor",
        checkpoints=work / "out" / "tfx" / "Trainer" / "checkpoints",
        tuner=work / "out" / "tuner",
    )
    assert OutputPaths.of(configure("output=~/out")).runs == Path("/home/me/out/runs")


# ---- Challenges


def choose(*overrides: str):
    config = configure(*overrides)
    return choose_challenges(config, choose_data(config))


def test_challenges_are_those_that_are_named_each_with_its_digest(work):
    path = write_csv(work / "elsewhere.csv")
    found = choose("evaluation.challenges=[{name: tube, path: elsewhere.csv, min_auc: 0.5}]")
    (source,), (settings,) = found.sources, found.settings
    assert (source.name, source.path) == ("tube", str(path))
    assert source.sha256 == choose_data(configure("data.path=elsewhere.csv")).digest
    assert settings.min_auc is None  # a bound is the Evaluator's, and no reason to read the rows anew
    assert found.description == "tube, from elsewhere · by --challenge"


def test_fetched_challenges_are_for_the_fetched_headlines_alone(work):
    for name in ("youtube.csv", "ta1c.csv.gz"):
        write_csv(work / "data" / "challenge" / name.removesuffix(".gz"))
    assert choose().settings == ()  # the sample
    path = write_csv(work / DEFAULT_DESTINATION)
    found = choose()
    assert [challenge.name for challenge in found.settings] == ["ta1c", "youtube"]
    assert found.description == (
        "ta1c, youtube, from elsewhere · of data/challenge, fetched; --no-challenges leaves them out"
    )
    assert choose("evaluation.challenges=[]").settings == ()
    assert choose(f"data.path={path}").settings == ()


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("gone.csv", "must be one CSV file. Received: a=gone.csv, where there is nothing. Give --challenge a=FILE."),
        ("data", "Received: a=data, which is not one file"),
        ("other.csv", r"other.csv:1: .*'title' and 'label'. Received: headline, label. Name .* text_column of a in"),
        (
            "same.csv",
            r"Received: 'title' for both. Give text_column of a in evaluation.challenges and label_col",
        ),
    ],
)
def test_a_challenge_that_cannot_be_read_ends_the_run_before_it_begins(work, path, message):
    (work / "data").mkdir(exist_ok=True)
    write_csv(work / "other.csv", "headline,label")
    write_csv(work / "same.csv")
    column = ", label_column: title" if path == "same.csv" else ""
    with pytest.raises(InputError, match=message):
        choose(f"evaluation.challenges=[{{name: a, path: {path}{column}}}]")


def test_another_challenge_is_another_configuration_wherever_it_lies(work):
    for name in ("a.csv", "b.csv"):
        write_csv(work / name)
    (work / "c.csv").write_text("title,label\nThree,1\n")
    without, first, moved, changed = (
        prepare_inputs(configure(*overrides)).fingerprint
        for overrides in ([], *([f"evaluation.challenges=[{{name: x, path: {name}.csv}}]"] for name in "abc"))
    )
    assert first == moved
    assert len({without, first, changed}) == 3


def test_challenges_must_each_have_a_name_of_its_own():
    with pytest.raises(ConfigError, match=r"challenges \(--set\): must each have a name of its own. Received"):
        configure("evaluation.challenges=[{name: a, path: b}, {name: a, path: c}]")
    with pytest.raises(ConfigError, match="evaluation.challenges.0.pth .*Did you mean path"):
        configure("evaluation.challenges=[{name: a, pth: b}]")


def test_a_challenge_has_the_columns_of_slices_that_its_file_has_unless_it_names_its_own(work):
    write_csv(work / "mine.csv", "title,label,source,text")
    write_csv(work / "tube.csv", "text,label,source")
    write_csv(work / "plain.csv")
    write_csv(work / "own.csv", "title,label,source,kind")
    data = ("data.path=mine.csv", "data.slice_columns=[source, text]")
    given = (
        "{name: tube, path: tube.csv, text_column: text}, {name: plain, path: plain.csv}, "
        "{name: own, path: own.csv, slice_columns: [kind]}, {name: none, path: own.csv, slice_columns: []}"
    )
    found = choose(*data, f"evaluation.challenges=[{given}]")
    assert [challenge.slice_columns for challenge in found.settings] == [["source"], [], ["kind"], []]
    assert found.description.startswith("tube (slices by source), plain, own (slices by kind), none, from elsewhere")
    with pytest.raises(InputError, match=r"own.csv:1: .*with slice_columns\[1\] of own in evaluation.challenges"):
        choose("evaluation.challenges=[{name: own, path: own.csv, slice_columns: [kind, gone]}]")
    with pytest.raises(ConfigError, match="slice_columns must name columns of slices, each once. Received: 'kind'"):
        choose("evaluation.challenges=[{name: own, path: own.csv, slice_columns: [kind, kind]}]")


def test_columns_of_slices_of_a_challenge_make_no_other_model(work):
    write_csv(work / "own.csv", "title,label,kind")
    one, other = (
        prepare_inputs(configure(f"evaluation.challenges=[{{name: own, path: own.csv, slice_columns: {columns}}}]"))
        for columns in ("null", "[kind]")
    )
    assert one.fingerprint == other.fingerprint
