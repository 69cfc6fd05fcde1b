"""PNASNet's cell and plan; what it shares with NASNet: nasnet_test.py.

Variables, logits and end points at the default options: nets_golden_test.py.
"""

import pytest
import tensorflow as tf

from nets import slim
from nets.nasnet import pnasnet

v1 = tf.compat.v1


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


def narrow_config():
    config = pnasnet.mobile_imagenet_config()
    config.set_hparam("num_cells", 3)
    config.set_hparam("num_conv_filters", 10)
    return config


def test_the_plan_of_the_mobile_network():
    plan = pnasnet._plan(pnasnet.mobile_imagenet_config(), is_training=True)[2:]
    assert [planned.stride for planned in plan] == [1, 1, 1, 2, 1, 1, 2, 1, 1]
    assert [planned.filter_scaling for planned in plan] == [1] * 3 + [2] * 3 + [4] * 3
    assert [p.aux_scope for p in plan if p.aux_scope] == ["aux_5"]
    assert {planned.prev for planned in plan} == {-2}


def test_the_input_of_reductions():
    config = pnasnet.mobile_imagenet_config()
    config.set_hparam("skip_reduction_layer_input", 0)
    plan = pnasnet._plan(config, is_training=True)
    assert [p.scope for p in plan if p.prev == -3] == ["cell_3", "cell_6"]


def test_end_points_in_training():
    """The widths of the stem's cells are odd: they do not split in halves."""
    with slim.arg_scope(pnasnet.pnasnet_mobile_arg_scope()):
        logits, end_points = pnasnet.build_pnasnet_mobile(
            tf.zeros([2, 161, 161, 3]), 5, config=narrow_config()
        )
    shapes = {name: tuple(net.shape) for name, net in end_points.items()}
    assert shapes == {
        "Stem": (2, 20, 20, 5 * 5),
        "Cell_0": (2, 20, 20, 5 * 10),
        "Cell_1": (2, 10, 10, 5 * 20),
        "AuxLogits": (2, 5),
        "Cell_2": (2, 5, 5, 5 * 40),
        "global_pool": (2, 200),
        "Logits": (2, 5),
        "Predictions": (2, 5),
    }
    assert logits is end_points["Logits"]


def test_only_what_does_not_fit_is_projected():
    """The stem's first cell halves and deepens its inputs, the second only halves."""
    with slim.arg_scope(pnasnet.pnasnet_mobile_arg_scope()):
        pnasnet.build_pnasnet_mobile(
            tf.zeros([2, 65, 65, 3]),
            5,
            is_training=False,
            final_endpoint="Cell_0",
            config=narrow_config(),
        )
    names = [variable.op.name for variable in slim.get_model_variables()]
    projections = [name for name in names if name.endswith("/right/1x1/weights")]
    assert projections == [
        "cell_stem_0/comb_iter_0/right/1x1/weights",
        "cell_stem_0/comb_iter_4/right/1x1/weights",
        "cell_stem_1/comb_iter_4/right/1x1/weights",
    ]


def test_large_is_wider_and_deeper():
    plan = pnasnet._plan(pnasnet.large_imagenet_config(), is_training=True)[2:]
    assert len(plan) == 12
    assert plan[-1].filter_scaling == 4
    assert [p.aux_scope for p in plan if p.aux_scope] == ["aux_7"]
