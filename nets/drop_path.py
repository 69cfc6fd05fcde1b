"""Drop path, or stochastic depth: whole branches left out at random in training."""

import tensorflow as tf

from nets import layer_policy, slim


@slim.add_arg_scope
def drop_path(
    net: tf.Tensor,
    keep_prob: float | tf.Tensor,
    is_training: bool = True,
    block: str | None = None,
) -> tf.Tensor:
    """Drops the whole tensor of an example, with probability 1 - `keep_prob`.

    Larsson et al., "FractalNet", https://arxiv.org/abs/1605.07648; Huang et al., "Deep
    Networks with Stochastic Depth", https://arxiv.org/abs/1603.09382.

    Args:
      net: a branch, `[batch, height, width, channels]` or `[batch, tokens, channels]`.
      keep_prob: share of the examples that keep it, divided by it; where it is the
        number 1, nothing is added to the graph.
      is_training: otherwise the branch is returned as it is.
      block: scope of the block: while a `LayerPolicy` trains no variable in it, nothing
        is dropped, so that a frozen block is the same at every step. None drops
        whatever is trained.
    """
    if not is_training or (isinstance(keep_prob, float) and keep_prob == 1):
        return net
    policy = layer_policy.current_policy()
    if block is not None and policy is not None and not policy.trains(block):
        return net
    noise_shape = [tf.shape(net)[0], *[1] * (net.shape.rank - 1)]
    return slim.dropout(
        net, keep_prob=keep_prob, noise_shape=noise_shape, scope="drop_path"
    )
