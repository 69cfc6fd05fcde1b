"""torchvision as its references use it; an extra, never a dependency."""

import importlib
import pathlib
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from benchmarks.measuring import MissingPeerError, Scale
from benchmarks.photos import NUM_CLASSES

_INSTALL = "not installed: python -m pip install torch==2.14.1 torchvision==0.29.1"


class _Net(NamedTuple):
    """A net of torchvision: its name, and its last module."""

    name: str
    classifier: str


_NETS = {
    "inception_v3": _Net("inception_v3", "fc"),
    # The net without squeeze-and-excite is not among torchvision's.
    "efficientnet_lite0": _Net("efficientnet_b0", "classifier.1"),
    "efficientnet_b0": _Net("efficientnet_b0", "classifier.1"),
    "convnext_tiny": _Net("convnext_tiny", "classifier.2"),
    "vit_b16": _Net("vit_b_16", "heads.head"),
}


def _modules() -> tuple[Any, Any]:
    try:
        import torch  # type: ignore[import-not-found,unused-ignore]
        import torchvision  # type: ignore[import-not-found,unused-ignore]
    except ImportError as error:
        raise MissingPeerError(_INSTALL) from error
    return torch, torchvision


def make_step(scale: Scale, trainable: str) -> Callable[[], int]:
    """Training steps on a batch in memory, of the head alone or of all.

    Args:
      scale: net, image size, batch size and precision.
      trainable: "head" or "all".

    Returns:
      A function that makes a step and returns how many images it took.

    Raises:
      MissingPeerError: PyTorch is not installed, or torchvision has no such net.
    """
    torch, torchvision = _modules()
    if scale.model_name not in _NETS:
        raise MissingPeerError(f"torchvision has no {scale.model_name}")
    net = _NETS[scale.model_name]
    options = {"init_weights": False} if net.name == "inception_v3" else {}
    build = getattr(torchvision.models, net.name)
    model = build(weights=None, num_classes=NUM_CLASSES, **options)
    model = model.to(memory_format=torch.channels_last)
    if trainable == "head":
        # In evaluation mode the frozen part keeps its statistics, and has no
        # auxiliary head.
        model.eval().requires_grad_(False)
        model.get_submodule(net.classifier).requires_grad_(True)
    else:
        model.train()
    shape = (scale.batch_size, 3, scale.image_size, scale.image_size)
    images = torch.rand(shape).to(memory_format=torch.channels_last) * 2 - 1
    labels = torch.randint(0, NUM_CLASSES, (scale.batch_size,))
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.RMSprop(trained, 0.001)
    cross_entropy = torch.nn.functional.cross_entropy
    bfloat16 = scale.precision == "mixed_bfloat16"

    def step() -> int:
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            outputs = model(images)
            if isinstance(outputs, torch.Tensor):
                loss = cross_entropy(outputs, labels)
            else:
                loss = cross_entropy(outputs.logits, labels)
                loss = loss + 0.4 * cross_entropy(outputs.aux_logits, labels)
        loss.backward()
        optimizer.step()
        loss.item()
        return scale.batch_size

    return step


def photo_batches(photos: pathlib.Path, scale: Scale) -> Iterable[Any]:
    """Endless training batches of a folder of class folders, on both cores.

    The transforms of `preprocessing/inception_preprocessing.py`: a crop of a tenth of
    the image or more, a mirror image every second time, brightness and saturation.
    """
    torch, torchvision = _modules()
    transforms = importlib.import_module("torchvision.transforms.v2")
    transform = transforms.Compose(
        [
            transforms.RandomResizedCrop(
                scale.image_size, (0.1, 1.0), (0.75, 1.33), antialias=True
            ),
            transforms.RandomHorizontalFlip(),
            transforms.ColorJitter(brightness=0.125, saturation=0.5),
            transforms.PILToTensor(),
            transforms.ToDtype(torch.float32, scale=True),
            transforms.Normalize([0.5] * 3, [0.5] * 3),
        ]
    )
    dataset = torchvision.datasets.ImageFolder(photos, transform)
    # Drawn with replacement, so that it never ends and no worker is restarted.
    sampler = torch.utils.data.RandomSampler(dataset, True, num_samples=10**9)
    return torch.utils.data.DataLoader(
        dataset, scale.batch_size, sampler=sampler, num_workers=2
    )
