"""The executors do in TFX what the components promise."""

from __future__ import annotations

import trainer.tensorflow_setup.keras_policy  # noqa: F401  isort: skip

import datetime
from pathlib import Path

import pytest

from serving.versions import version_folder
from serving.versions.version_folder import list_versions, read_card
from tests.helpers.encoders import write_shell

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tfx():
    import tfx.v1 as tfx

    return tfx


# ---- LatestBlessedModel, VersionedPusher


def run_function(component, **arguments) -> None:
    component.EXECUTOR_SPEC.executor_class._FUNCTION(**arguments)


def write_model(folder: Path, weights: bytes = b"weights") -> None:
    write_shell(folder)
    (folder / "variables" / "variables.data-00000-of-00001").write_bytes(weights)


@pytest.fixture
def artifact(tfx, tmp_path):
    def artifact(kind: str, name: str):
        made = getattr(tfx.types.standard_artifacts, kind)()
        made.uri = str(tmp_path / name)
        return made

    return artifact


@pytest.mark.parametrize(
    ("there", "version", "expected"),
    [
        ([], "none", "none"),
        ([3, 20], "20", "20"),
        ([3, 20], "3", "3"),
        ([3, 20], "none", "none"),
    ],
)
def test_the_baseline_is_the_version_asked_for(artifact, tmp_path, monkeypatch, there, version, expected):
    from components.latest_blessed_model.component import LatestBlessedModel

    for number in there:
        write_model(tmp_path / "model" / str(number), b"%d" % number)
        monkeypatch.setattr(version_folder.time, "time", lambda number=number: number)
        card = version_folder.VersionCard("sha256:1", "run", "fingerprint", "now")
        version_folder.write_version(tmp_path / "model" / str(number), tmp_path / "serving", card)
    model = artifact("Model", "baseline")
    run_function(LatestBlessedModel, model=model, serving_model_dir=str(tmp_path / "serving"), version=version)
    assert model.get_string_custom_property("version") == expected
    weights = list(Path(model.uri, "Format-Serving").rglob("*.data-*"))
    assert [file.read_bytes() for file in weights] == ([] if expected == "none" else [expected.encode()])
    assert Path(model.uri).is_dir()


@pytest.fixture
def push(artifact, tmp_path):
    """Pushes a model with these weights, and returns what the component says of it."""
    from components.versioned_pusher.component import VersionedPusher
    from trainer import saved_model

    count = iter(range(100))

    def push(
        weights: bytes = b"weights", *, blessed: int = 1, infra: int = 1, changed: bool = False, override: str = ""
    ):
        number = next(count)
        served, candidate = artifact("InfraBlessing", f"infra{number}"), artifact("Model", f"model{number}")
        model = Path(candidate.uri, "Format-Serving")
        write_model(model, weights)
        for folder, text in ((model, "the export's own"), (Path(served.uri), "with which it was served")):
            (folder / "assets.extra").mkdir(parents=True)
            (folder / "assets.extra" / "requests").write_text(text, encoding="utf-8")
        served.set_int_custom_property("blessed", infra)
        served.set_string_custom_property("digest", saved_model.digest(model))
        if changed:
            (model / "variables" / "variables.data-00000-of-00001").write_bytes(b"other weights")
        blessing = artifact("ModelBlessing", "blessing")
        blessing.set_int_custom_property("blessed", blessed)
        if override:
            blessing.set_string_custom_property("override", override)
        pushed = artifact("PushedModel", f"pushed{number}")
        run_function(
            VersionedPusher,
            blessing=blessing,
            infra_blessing=served,
            model=candidate,
            pushed_model=pushed,
            serving_model_dir=str(tmp_path / "serving"),
            run_id=f"run{number}",
            fingerprint="f1",
            settings="{}",
        )
        return pushed

    return push


def test_a_model_that_the_evaluator_did_not_bless_is_not_pushed(push, tmp_path):
    pushed = push(blessed=0)
    assert pushed.get_string_custom_property("outcome") == "not blessed"
    assert pushed.get_int_custom_property("pushed") == 0
    assert not (tmp_path / "serving").exists()


def test_a_model_that_was_not_fit_to_be_served_is_not_pushed(push, tmp_path):
    pushed = push(infra=0)
    assert pushed.get_string_custom_property("outcome") == "infra not blessed"
    assert not (tmp_path / "serving").exists()


def test_a_model_that_has_changed_since_it_was_served_is_not_pushed(push, tmp_path):
    with pytest.raises(version_folder.PushError, match="has changed since"):
        push(changed=True)
    assert not (tmp_path / "serving").exists()


def test_a_blessed_model_becomes_a_version_with_a_card(push, tmp_path):
    pushed = push()
    (version,) = list_versions(tmp_path / "serving")
    assert pushed.get_string_custom_property("outcome") == "pushed"
    assert pushed.get_int_custom_property("pushed") == 1
    assert pushed.get_string_custom_property("pushed_version") == str(version)
    assert pushed.get_string_custom_property("pushed_destination") == str(tmp_path / "serving" / str(version))
    requests = Path("assets.extra", "requests")
    assert (tmp_path / "serving" / str(version) / requests).read_text() == "with which it was served"
    assert (tmp_path / "model0" / "Format-Serving" / requests).read_text() == "the export's own"
    assert not [*Path(pushed.uri).iterdir()]
    card = read_card(tmp_path / "serving", version)
    assert (card.run_id, card.fingerprint) == ("run0", "f1")
    assert card.digest.startswith("sha256:")
    assert datetime.datetime.fromisoformat(card.pushed_at).tzinfo == datetime.UTC


def test_the_same_model_again_is_unchanged_and_makes_no_version(push, tmp_path):
    push()
    again = push()
    (version,) = list_versions(tmp_path / "serving")
    assert again.get_string_custom_property("outcome") == "unchanged"
    assert again.get_int_custom_property("pushed") == 0
    assert again.get_string_custom_property("pushed_version") == str(version)
    assert read_card(tmp_path / "serving", version).run_id == "run0"


def test_a_changed_model_becomes_a_higher_version_and_so_does_the_first_one_again(push, tmp_path):
    outcomes = [push(weights).get_string_custom_property("outcome") for weights in (b"one", b"two", b"one")]
    assert outcomes == ["pushed"] * 3
    first, second, third = list_versions(tmp_path / "serving")
    digests = [read_card(tmp_path / "serving", version).digest for version in (first, second, third)]
    assert digests[0] == digests[2] != digests[1]


def test_a_model_that_is_pushed_anyway_says_why_and_is_nobodys_measure(push, tmp_path):
    push(b"good")
    pushed = push(b"bad", override="the rules are being reworked")
    good, bad = list_versions(tmp_path / "serving")
    assert pushed.get_string_custom_property("override") == "the rules are being reworked"
    assert [read_card(tmp_path / "serving", version).override for version in (good, bad)] == [
        "",
        "the rules are being reworked",
    ]
    assert version_folder.list_blessed(tmp_path / "serving") == [good]


def test_a_version_without_a_card_does_not_count_as_the_same_model(push, tmp_path):
    write_model(tmp_path / "serving" / "7")
    assert push().get_string_custom_property("outcome") == "pushed"
