"""tf_slim finds in TensorFlow all that it looks for, in either order of importing."""

import ast
import importlib
import pathlib
import subprocess
import sys
import types

import pytest
import tf_slim

from nets import slim

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGE = pathlib.Path(tf_slim.__file__).parent
SOURCES = [
    path.relative_to(PACKAGE)
    for path in sorted(PACKAGE.rglob("*.py"))
    if not path.name.endswith("_test.py")
]


def modules_of(tree):
    """The modules of TensorFlow that a source imports, by the names they get there."""
    modules = {}
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom):
            continue
        if node.module and node.module.startswith("tensorflow"):
            package = importlib.import_module(node.module)
            for name in node.names:
                module = getattr(package, name.name)
                if isinstance(module, types.ModuleType):
                    modules[name.asname or name.name] = module
    return modules


def unknown_names(tree):
    modules = modules_of(tree)
    return {
        f"{node.value.id}.{node.attr}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in modules
        and not hasattr(modules[node.value.id], node.attr)
    }


@pytest.mark.parametrize("source", SOURCES, ids=str)
def test_every_name_of_tensorflow_that_tf_slim_uses_is_there(source):
    tree = ast.parse((PACKAGE / source).read_text("utf-8"))
    assert unknown_names(tree) == set()


def test_the_search_sees_a_name_that_is_gone():
    tree = ast.parse("from tensorflow.python.ops import math_ops\nmath_ops.gone(1)")
    assert unknown_names(tree) == {"math_ops.gone"}


def test_every_patch_has_a_reason_and_is_in_place():
    for patch in slim._PATCHES:
        assert patch.reason
        of = patch.owner if patch.owner is sys.modules else vars(patch.owner)
        assert all(of[name] is value for name, value in patch.names.items())


@pytest.mark.parametrize(
    "imports",
    [
        "import tf_slim as slim; from nets import inception",
        "from nets import inception; import tf_slim as slim",
    ],
)
def test_a_net_is_built_with_tf_slim_imported_before_and_after(imports):
    program = f"""
import tensorflow as tf
{imports}
with tf.Graph().as_default():
    with slim.arg_scope(inception.inception_v1_arg_scope()):
        images = tf.zeros([1, 224, 224, 3])
        inception.inception_v1_base(images, final_endpoint="Conv2d_2c_3x3")
    print(len(slim.get_model_variables()))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert done.stdout == "12\n"  # weights, beta, moving mean and variance of three
