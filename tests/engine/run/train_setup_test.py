"""What a run records of its data."""

from config.shared_options import DataOptions
from datasets.dataset import Dataset
from engine.run import train_setup
from nets.network import Network


def test_prediction_is_told_the_bits_of_the_photos():
    dataset = Dataset("d", "train", "", (), 1, 2, ("a", "b"), (1, 0), bits=12)
    network = Network("lenet", num_classes=2, image_size=28)
    data = DataOptions(dataset_dir="d", dataset_name="d")
    record = train_setup.info_of(network, dataset, data)
    assert record.bits == 12
    assert record.class_names == ("a", "b")
