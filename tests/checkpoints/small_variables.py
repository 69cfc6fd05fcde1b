"""The variables of a net small enough to work out its plan by hand."""

# Two blocks of a convolution with batch norm, an auxiliary head and a head.
SHAPES: dict[str, tuple[int, ...]] = {
    "Net/Block_1/conv/weights": (3, 3, 3, 8),
    "Net/Block_1/conv/BatchNorm/beta": (8,),
    "Net/Block_1/conv/BatchNorm/moving_mean": (8,),
    "Net/Block_1/conv/BatchNorm/moving_variance": (8,),
    "Net/Block_2/conv/weights": (1, 1, 8, 16),
    "Net/Block_2/conv/BatchNorm/beta": (16,),
    "Net/Block_2/conv/BatchNorm/moving_mean": (16,),
    "Net/Block_2/conv/BatchNorm/moving_variance": (16,),
    "Net/AuxLogits/fc/weights": (8, 5),
    "Net/Logits/fc/weights": (16, 5),
    "Net/Logits/fc/biases": (5,),
}
NAMES = list(SHAPES)
TRAINABLE = [name for name in NAMES if "/moving_" not in name]
BODY = NAMES[:8]
HEAD = ("Net/Logits", "Net/AuxLogits")
# As published: another number of classes, and what training leaves behind.
CHECKPOINT = {
    **SHAPES,
    "Net/AuxLogits/fc/weights": (8, 1001),
    "Net/Logits/fc/weights": (16, 1001),
    "Net/Logits/fc/biases": (1001,),
    "Net/Logits/fc/weights/Momentum": (16, 1001),
    "global_step": (),
}
PATH = "/ckpt/model.ckpt"
NORMS = ("Net/Block_1/conv/BatchNorm", "Net/Block_2/conv/BatchNorm")
