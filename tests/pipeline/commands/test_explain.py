"""`clickbait explain` as a person meets it."""

from __future__ import annotations

import io
import json
import math
import subprocess
import sys

import pytest
from click.testing import CliRunner
from rich.console import Console

from pipeline.cli import main
from pipeline.commands import explain
from serving.word_effects import Explanation, Word
from tests.helpers.encoders import write_shell
from tests.helpers.serving import write_model
from tests.serving.client import fakes
from tests.serving.client.commands import ROOT
from tests.serving.client.proxy import Chance, refusing_proxy


def call(*arguments, lines=None):
    return CliRunner().invoke(main, ["explain", *map(str, arguments)], input=lines)


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    """Two versions; the newest scores a title by its length in eighths of 1/4."""
    output = tmp_path_factory.mktemp("pushed")
    for version, weight in ((3, 0.5), (20, 0.03125)):
        write_model(output / "serving" / "clickbait" / str(version), weight)
    return output


@pytest.fixture
def target():
    with fakes.grpc_server(fakes.FakeModel()) as port:
        yield f"localhost:{port}"


def test_the_newest_pushed_model_explains_in_json(output):
    told = call("--output", output, "--json", "Storm hits coast", "Cats")
    assert told.exit_code == 0, told.stderr
    assert [json.loads(line) for line in told.stdout.splitlines()] == [
        {
            "version": 20,
            "text": "Storm hits coast",
            "probability": 0.5,
            "words": [
                {"word": "Storm", "effect": 0.1875},
                {"word": "hits", "effect": 0.15625},
                {"word": "coast", "effect": 0.1875},
            ],
            "words_left": 0,
        },
        {
            "version": 20,
            "text": "Cats",
            "probability": 0.125,
            "words": [{"word": "Cats", "effect": 0.125}],
            "words_left": 0,
        },
    ]


def test_a_person_sees_the_score_the_words_and_their_effects(output):
    told = call("--output", output, "Storm hits coast")
    assert told.exit_code == 0, told.stderr
    assert [line.split() for line in told.stdout.splitlines() if line.strip()] == [
        ["0.500", "news", "Storm", "hits", "coast"],
        ["+0.1875", "\u2588" * 12, "Storm"],
        ["+0.1875", "\u2588" * 12, "coast"],
        ["+0.1562", "\u2588" * 10, "hits"],
    ]


def test_another_version_can_be_asked(output):
    told = call("--output", output, "--version", 3, "--json", "a")
    assert json.loads(told.stdout)["version"] == 3
    assert json.loads(told.stdout)["probability"] == 0.5


def test_a_server_explains_without_tensorflow(target):
    probe = (
        "import sys\nfrom pipeline.cli import main\n"
        f"try:\n    main(['explain', '--target', {target!r}, '--json', 'Storm hits'])\n"
        "except SystemExit as end:\n    assert end.code in (0, None), end.code\n"
        "assert not {'tensorflow', 'tfx'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told, score = json.loads(done.stdout), fakes.score
    assert (told["target"], told["probability"]) == (target, score("Storm hits"))
    assert [word["effect"] for word in told["words"]] == [
        score("Storm hits") - score("hits"),
        score("Storm hits") - score("Storm"),
    ]


def test_the_lines_of_stdin_are_explained_one_after_the_other(target):
    told = call("--target", target, "--json", lines="Storm\n\n<script>alert(1)</script> [bold]大雪[/]\n")
    assert told.exit_code == 0, told.stderr
    found = [json.loads(line) for line in told.stdout.splitlines()]
    assert [explanation["text"] for explanation in found] == ["Storm", "", "<script>alert(1)</script> [bold]大雪[/]"]
    assert [len(explanation["words"]) for explanation in found] == [1, 0, 2]


def test_a_server_that_is_short_of_threads_explains_all_the_same(target):
    admit = Chance(0.5)
    with refusing_proxy(target, admit) as short_target:
        explained = [call("--target", short_target, "--json", "Storm hits") for _ in range(4)]
    assert [(done.exit_code, len(done.stdout.splitlines())) for done in explained] == [(0, 1)] * 4
    assert admit.refused


def test_what_looks_like_markup_is_shown_as_it_stands(target):
    told = call("--target", target, lines="[bold]Storm[/] [/]\n")
    assert told.exit_code == 0, told.stderr
    assert told.stdout.splitlines()[0].endswith("  [bold]Storm[/] [/]")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--output", "{empty}", "a"], "which holds no version. Type `clickbait run`, or give --output, or --target"),
        (["--output", "{output}", "--version", "4", "a"], "Received: 4. Give one of 3, 20."),
        (["--output", "{damaged}", "a"], "variables/variables.index is missing or empty. Give another --version."),
        (["--target", "nonsense", "a"], "The target must be HOST:PORT"),
        (["--target", "{target}", "--model", "other", "a"], "other"),
        (["--target", "{target}", "a\udcff"], "A text must be UTF-8. Received: 'a\\udcff'."),
        (["--output", "{output}"], "stdin must be UTF-8"),
    ],
)
def test_a_mistake_is_one_message_and_exit_2(arguments, message, output, target, tmp_path):
    damaged = tmp_path / "damaged" / "serving" / "clickbait" / "5"
    write_shell(damaged)
    (damaged / "variables" / "variables.index").unlink()
    places = {"empty": tmp_path, "output": output, "damaged": tmp_path / "damaged", "target": target}
    told = call(*(argument.format(**places) for argument in arguments), lines=b"\xff")
    assert told.exit_code == 2, told.stdout
    assert message in " ".join(told.stderr.split())
    assert "Traceback" not in told.stderr
    assert told.stdout == ""


def test_a_server_that_is_gone_is_one_message_and_exit_1():
    told = call("--target", "localhost:1", "a")
    assert (told.exit_code, told.stdout) == (1, "")
    assert "A server must listen at localhost:1" in told.stderr


def test_the_help_says_what_an_effect_is_and_what_is_asked():
    shown = call("--help").stdout
    for words in ("[TEXT]...", "--output", "--model", "--version", "--target HOST:PORT", "--timeout", "--json"):
        assert words in shown
    assert "less that of the headline without the word" in " ".join(shown.split())


# ---- The view


def printed(explanation):
    console = Console(file=io.StringIO(), width=100, force_terminal=True, color_system="standard", highlight=False)
    explain.print_explanation(console, explanation)
    return console.file.getvalue()


def an_explanation(*effects, score=0.9, words_left=0):
    words = tuple(Word(f"w{number}", effect) for number, effect in enumerate(effects))
    return Explanation(" ".join(word.text for word in words), score, words, words_left)


def test_colour_and_weight_tell_direction_and_strength():
    spans = explain.coloured(an_explanation(0.5, 0.05, 0.005, -0.05, -0.5, math.nan)).spans
    assert [span.style for span in spans if span.style] == ["bold yellow", "yellow", "green", "bold green", "red"]


def test_where_no_single_word_decides_it_says_so_and_draws_no_bar():
    shown = printed(an_explanation(0.001, -0.002))
    assert "no single word decides" in shown
    assert "\u2588" not in shown


def test_only_the_strongest_words_are_shown_and_the_others_counted():
    shown = printed(an_explanation(*(0.01 * number for number in range(1, 13)), words_left=7))
    assert shown.count("\u2588 ") + shown.count("\u2588\x1b") == 10
    assert "2 weaker words are not shown" in shown
    assert "7 words after the first 12 were not left out" in shown


def test_what_is_no_number_is_shown_without_effects_and_null_in_json():
    explanation = an_explanation(math.nan, score=math.nan)
    assert "decides" not in printed(explanation)
    assert "the model has no score for it" in printed(explanation)
    assert "there is no word in it" in printed(an_explanation(score=math.nan))
    assert explain.as_dict(explanation)["probability"] is None
    assert explain.as_dict(explanation)["words"] == [{"word": "w0", "effect": None}]
