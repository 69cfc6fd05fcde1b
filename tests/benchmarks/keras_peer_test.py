import keras
import numpy as np

from benchmarks import keras_peer
from checkpoints import slim_format
from nets.network import Network


def test_keras_with_slims_weights_gives_slims_features(tmp_path):
    slim = Network("mobilenet_v1_025", num_classes=3, image_size=32)
    generator = np.random.default_rng(0)
    for name, variable in slim.model_variables.items():
        if name.endswith("weights"):
            fan_in = np.prod(variable.shape[: 2 if "depthwise" in name else 3])
            values = generator.normal(0, (2 / fan_in) ** 0.5, variable.shape)
        else:  # gammas and variances are to be positive, the rest about zero
            least = 0.5 if name.endswith(("moving_variance", "gamma")) else -0.5
            values = generator.uniform(least, least + 1, variable.shape)
        variable.assign(values.astype(np.float32))
    values = {name: v.numpy() for name, v in slim.model_variables.items()}
    slim_format.write_checkpoint(str(tmp_path / "model.ckpt"), values)
    base = keras.applications.MobileNet(
        input_shape=(32, 32, 3),
        alpha=0.25,
        include_top=False,
        weights=None,
        pooling="avg",
    )
    keras_peer.restore_slim(base, "mobilenet_v1_025", str(tmp_path / "model.ckpt"))
    images = generator.uniform(-1, 1, (4, 32, 32, 3)).astype(np.float32)
    _, end_points = slim(images, is_training=False)
    features = end_points["Conv2d_13_pointwise"].numpy().mean((1, 2))
    np.testing.assert_allclose(base(images, training=False), features, atol=1e-4)
    assert features.std(0).max() > 0.01
