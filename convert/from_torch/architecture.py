"""What a row of the table of nets of torchvision and timm holds (architectures.py)."""

import dataclasses
from collections.abc import Callable

import tensorflow as tf

from convert.from_torch import module_names
from convert.from_torch.layers import Layers
from convert.from_torch.state_dict import State

Triple = tuple[float, float, float]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
HALF = (0.5, 0.5, 0.5)
LITE_MEAN, LITE_STD = (127 / 255,) * 3, (128 / 255,) * 3


@dataclasses.dataclass(frozen=True)
class Architecture:
    """A net of torchvision or timm and its counterpart in slim.

    Attributes:
      name: its name there.
      model_name: slim's net.
      match: which modules hold which scopes of slim's net.
      forward: what the net computes.
      markers: modules, or parameters of none, that distinguish it from the nets below
        it in the table; the first is a module.
      classifier: its last module.
      width: a module and its output channels, where only the width tells nets apart.
      epsilon: the epsilon of its batch norms.
      slim_epsilon: the epsilon of the batch norms of slim's net.
      mean: subtracted from its pixels, which are in [0, 1].
      std: what they are then divided by.
      ignored: prefixes of the names of parameters that only training uses and slim's
        net has no place for.
      caveat: a limitation of the comparison to report; "" for none.
      renamed: from the dictionary to one with the names that `match` and `forward` use.
      check: refuses variants of the net, given the renamed dictionary and slim's net.
    """

    name: str
    model_name: str
    match: module_names.Match
    forward: Callable[[Layers, tf.Tensor], tf.Tensor]
    markers: tuple[str, ...]
    classifier: str
    width: tuple[str, int] | None = None
    epsilon: float = 1e-3
    slim_epsilon: float = 1e-3
    mean: Triple = HALF
    std: Triple = HALF
    ignored: tuple[str, ...] = ()
    caveat: str = ""
    renamed: Callable[[State], State] = lambda state: state
    check: Callable[[State, str], None] = lambda _state, _model_name: None

    def is_in(self, state: State, prefix: str = "") -> bool:
        """Whether a dictionary holds this net, its names after `prefix`."""
        names = [f"{prefix}{marker}" for marker in self.markers]
        if not all(name in state or f"{name}.weight" in state for name in names):
            return False
        if self.width is None:
            return True
        module, channels = self.width
        return len(state[f"{prefix}{module}.weight"]) == channels
