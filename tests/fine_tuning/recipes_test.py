"""Recipes: sections of flags, and one line for whatever is wrong in them."""

import pathlib

import pytest

from errors import UserError
from fine_tuning import recipes

RECIPES = pathlib.Path(__file__).parents[2] / "recipes"


A = "[a]\n--max_number_of_steps=1\n"


def write(tmp_path, text):
    path = tmp_path / "recipe.txt"
    path.write_text(text)
    return str(path)


def test_flags_above_the_first_heading_hold_for_all_stages(tmp_path):
    path = write(
        tmp_path,
        "# it's a comment \\\n--model_name=lenet --batch_size=8  # 'two\n\n"
        "[head]\n--max_number_of_epochs=1\n"
        "[top]  # the last\n--batch_size=4\n--max_number_of_steps=5\n",
    )
    first, second = recipes.read(path)
    assert first.name == "head"
    assert first.arguments == (
        *("--model_name=lenet", "--batch_size=8", "--max_number_of_epochs=1"),
    )
    assert second.name == "top"
    assert second.arguments[-2:] == ("--batch_size=4", "--max_number_of_steps=5")


def test_a_heading_says_what_a_stage_starts_from(tmp_path):
    steps = "--max_number_of_steps=1\n"
    headings = ["a from nothing", "b from weights", "c", "d from a"]
    path = write(tmp_path, "".join(f"[{heading}]\n{steps}" for heading in headings))
    stages = recipes.read(path)
    starts = [("nothing",), ("weights",), (), ("a",)]
    assert [stage.starts for stage in stages] == starts
    assert [stage.heading for stage in stages] == headings


def test_a_regular_expression_keeps_its_signs(tmp_path):
    scopes = "--trainable_scopes=MobilenetV2/expanded_conv_1[1-6],head#1"
    path = write(tmp_path, f"[top]\n{scopes} --max_number_of_epochs=1\n")
    assert recipes.read(path)[0].arguments[0] == scopes


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("--batch_size=8\n", r"no \[stage\] heading"),
        ("[a]\n--bach_size=8\n", "line 2: .*bach_size.*Did you mean.*batch_size"),
        ("[a]\n--batch_size=x\n", "line 2: .*batch_size"),
        ("[a]\nbatch_size=8\n", "unexpected 'batch_size=8'"),
        ("[a\n", "is not a heading"),
        ("[a]\n--max_number_of_steps=1\n[a]\n", r"a stage \[a\] already"),
        ("--max_number_of_steps=1\n[a]\n", r"stage \[a\] trains nothing"),
        (
            "[a]\n--learning_rate=0 --max_number_of_steps=1\n",
            "trains nothing with --learning_rate=0",
        ),
        ("[a]\n--batch_size=8\n", "would never end"),
        ("[a from b]\n", "line 1: .*cannot start from 'b': .* weights, nothing"),
        ("[a from]\n", "is not a heading"),
        ("[a with avrage]\n", r"with 'avrage'.* takes one of train_image_classifier"),
        (f"{A}[b with average_checkpoints]\n", r"names 0 checkpoints.* 2 or more"),
        (f"{A}[b from a, a with average_checkpoints]\n", "2 or more, each once"),
        (f"{A}[b from a, weights]\n", "names 2 checkpoints.*takes 1"),
        (
            f"{A}[b from nothing with pseudo_label]\n",
            "start from 'nothing': it takes a",
        ),
        (f"{A}[b with eval_image_classifier]\n[c from b]\n", "cannot start from 'b'"),
        (f"{A}[b with eval_image_classifier]\n--eval_dir=x\n", "--eval_dir is set by"),
        (f"{A}[b with eval_image_classifier]\n--learning_rate=1\n", "learning_rate"),
        ("[p with probe_image_classifier]\n", "heading of a training run"),
        ("[weights]\n", "rename the stage"),
        ("[a]\n--train_dir=x\n", "--train_dir is set by fine_tune.py"),
        ("[a]\n--checkpoint_path=x\n", "starts from the one before"),
        ('[a]\n--train_dir="x\n', "line 2: No closing quotation"),
    ],
)
def test_what_is_wrong_is_told_in_a_line(tmp_path, text, said):
    with pytest.raises(UserError, match=said) as raised:
        recipes.read(write(tmp_path, text))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("flag", ["trainable_scopes", "checkpoint_exclude_scopes"])
def test_a_scope_that_the_net_does_not_have_is_told_before_training(tmp_path, flag):
    text = "[head]\n--trainable_scopes=head --max_number_of_steps=1\n"
    text += f"[top]\n--{flag}=LeNet/fc8 --max_number_of_steps=1\n"
    path = write(tmp_path, text)
    with pytest.raises(UserError, match=rf"\[top\]: --{flag}.*fc8.*LeNet/fc") as raised:
        recipes.require_scopes(recipes.read(path), "lenet", path)
    assert "[head]" not in str(raised.value)


def test_scopes_are_those_of_a_new_head_and_of_multipliers(tmp_path):
    steps = "--max_number_of_steps=1\n"
    path = write(
        tmp_path,
        f"--head_hidden_units=4\n[a]\n--trainable_scopes=LeNet/Logits {steps}"
        f"[b]\n--learning_rate_multipliers=LeNet/fc4=0.1 {steps}",
    )
    with pytest.raises(UserError, match=r"\[b\]: --learning_rate_multipliers.*fc4"):
        recipes.require_scopes(recipes.read(path), "lenet", path)


def test_a_recipe_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match="cannot be read: No such file"):
        recipes.read(str(tmp_path / "none.txt"))


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.txt")), ids=lambda p: p.stem)
def test_the_recipes_that_come_along_can_be_read(path):
    assert recipes.read(str(path))


def test_flags_above_the_headings_hold_for_commands_that_know_them(tmp_path):
    path = write(
        tmp_path,
        "--model_name=lenet --batch_size=8 --moving_average_decay=0.9\n"
        f"{A}[b]\n--max_number_of_steps=1\n"
        "[soup from a, b with average_checkpoints]\n--method=greedy\n",
    )
    soup = recipes.read(path)[2]
    assert soup.arguments == (
        *("--batch_size=8", "--moving_average_decay=0.9", "--method=greedy"),
    )
    assert soup.heading == "soup from a, b with average_checkpoints"
