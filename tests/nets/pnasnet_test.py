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
    plan = pnasnet._cells(pnasnet.mobile_imagenet_config())
    assert [planned.stride for planned in plan] == [1, 1, 1, 2, 1, 1, 2, 1, 1]
    assert [planned.filters for planned in plan] == [54] * 3 + [108] * 3 + [216] * 3
    assert [p.aux_scope for p in plan if p.aux_scope] == ["aux_5"]
    assert {planned.prev for planned in plan} == {-2}


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
    plan = pnasnet._cells(pnasnet.large_imagenet_config())
    assert len(plan) == 12
    assert plan[-1].filters == 864
    assert [p.aux_scope for p in plan if p.aux_scope] == ["aux_7"]
