"""Data sets as arrays: the embedded digits, folders of prepared data sets, and what is missing."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import tensorflow_datasets as tfds
from sklearn.datasets import load_digits
from tensorflow_datasets.core import registered

import jaxsmooth.datasets as datasets
from jaxsmooth.datasets.digits import fixed_split

# The labels of the first test images: the split is part of every published number and must never move.
FIRST_TEST_LABELS = [0, 6, 3, 8, 1, 8, 4, 1, 5, 8, 9, 7, 5, 2, 6, 9, 4, 2, 0, 1]


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


def write_dataset(data_dir, class_name, image, examples, label=None, file_format="array_record", shards=None):
    """A small TFDS data set of the given feature and PIL images, with splits train and test."""

    def _info(self):
        features = {"image": image, "label": label or tfds.features.ClassLabel(num_classes=3)}
        return tfds.core.DatasetInfo(
            builder=self, features=tfds.features.FeaturesDict(features), disable_shuffling=True
        )

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples(), "test": self._generate_examples()}

    def _generate_examples(self):
        for i, picture in enumerate(examples):
            yield i, {"image": picture, "label": i % 3}

    members = {
        "VERSION": tfds.core.Version("1.0.0"),
        "_info": _info,
        "_split_generators": _split_generators,
        "_generate_examples": _generate_examples,
        "__module__": __name__,
    }
    with registered.skip_registration():
        builder = type(class_name, (tfds.core.GeneratorBasedBuilder,), members)
    config = tfds.download.DownloadConfig(num_shards=shards) if shards else None
    builder(data_dir=data_dir, file_format=file_format).download_and_prepare(download_config=config)


def test_digits_are_scikit_learns(data_dir):
    images, labels = datasets.load("digits", "train+test", data_dir=data_dir)
    digits = load_digits()
    order = np.concatenate(fixed_split(digits.target))
    assert sorted(order) == list(range(1797))
    assert (images.shape, images.dtype, labels.dtype) == ((1797, 8, 8, 1), np.float32, np.int32)
    np.testing.assert_array_equal(np.round(images[..., 0] * 16), digits.images[order])
    np.testing.assert_array_equal(labels, digits.target[order])
    assert (images.min(), images.max()) == (0.0, 1.0)
    assert images.flags.c_contiguous and images.flags.writeable


def test_digits_split_is_fixed_and_stratified(data_dir):
    _, train = datasets.load("digits", "train", data_dir=data_dir)
    _, test = datasets.load("digits", "test", data_dir=data_dir)
    assert (len(train), len(test)) == (1297, 500)
    assert np.bincount(test).tolist() == [50] * 10
    assert test[:20].tolist() == FIRST_TEST_LABELS


@pytest.mark.parametrize(
    ("split", "rows"),
    [("test[:100]", slice(0, 100)), ("test[90%:]", slice(450, 500)), ("test[7:9]", slice(7, 9)), ("all", None)],
)
def test_slices(data_dir, split, rows):
    images, labels = datasets.load("digits", split, data_dir=data_dir)
    whole = "train+test" if rows is None else "test"
    all_images, all_labels = datasets.load("digits", whole, data_dir=str(data_dir))
    np.testing.assert_array_equal(images, all_images[rows or slice(None)])
    np.testing.assert_array_equal(labels, all_labels[rows or slice(None)])


def test_source_gives_the_same_images(data_dir):
    images, labels = datasets.load("digits", "test", data_dir=data_dir)
    records = datasets.source("digits", "test[10:20]", data_dir=data_dir)
    assert len(records) == 10
    np.testing.assert_array_equal(records[3]["image"] / np.float32(255), images[13])
    assert records[3]["label"] == labels[13]


@pytest.mark.slow
def test_preparing_is_silent_and_atomic(tmp_path):
    """Several processes ask for the digits at once: all get the same, and no scrap is left behind."""
    script = (
        "import sys, jaxsmooth.datasets as d; x, y = d.load('digits', 'test', data_dir=sys.argv[1]);"
        "print(x.sum(dtype='float64'), y.tolist())"
    )
    command = [sys.executable, "-W", "error", "-c", script, str(tmp_path / "new" / "folder")]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    results = [(*run.communicate(timeout=120), run.returncode) for run in runs]
    assert all(code == 0 for *_, code in results), results
    assert len({out for out, *_ in results}) == 1
    assert all(len(out.splitlines()) == 1 and err == "" for out, err, _ in results)
    assert [path.name for path in (tmp_path / "new" / "folder").iterdir()] == ["digits"]
    assert [path.name for path in (tmp_path / "new" / "folder" / "digits").iterdir()] == ["1.0.0"]


def test_the_default_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "here"))
    assert len(datasets.load("digits", "test[:5]")[1]) == 5
    assert (tmp_path / "here" / "digits").is_dir()
    monkeypatch.delenv("TFDS_DATA_DIR")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert len(datasets.load("digits", "test[:5]")[1]) == 5
    assert (tmp_path / "tensorflow_datasets" / "digits").is_dir()


def test_a_data_set_of_ones_own(data_dir):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 6, 7, 3), np.uint8)
    write_dataset(data_dir, "OwnSet", tfds.features.Image(shape=(6, 7, 3)), [PIL.Image.fromarray(p) for p in pixels])
    for name in ("own_set", "own_set:1.0.0"):
        images, labels = datasets.load(name, "train", data_dir=data_dir)
        np.testing.assert_array_equal(images, pixels / np.float32(255))
        assert labels.tolist() == [0, 1, 2, 0, 1]


def test_images_of_varying_size_are_resized_and_cropped(data_dir):
    """A left-to-right ramp keeps its middle, whatever the size; grey JPEGs get three channels."""
    pictures = []
    for width, height in ((400, 300), (256, 256), (100, 350), (640, 257)):
        ramp = np.broadcast_to(np.linspace(0, 255, width).astype(np.uint8), (height, width))
        pictures.append(PIL.Image.fromarray(np.repeat(ramp[..., None], 3, -1)))
    write_dataset(data_dir, "Photos", tfds.features.Image(shape=(None, None, 3)), pictures)
    images, _ = datasets.load("photos", "test", data_dir=data_dir)
    assert images.shape == (4, 224, 224, 3)
    np.testing.assert_allclose(images[:, :, 111:113].mean((1, 2, 3)), 0.5, atol=0.01)
    # 224 of the resized width remain: the whole ramp for the square picture less 16 pixels on each side.
    np.testing.assert_allclose(images[1, 0, [0, -1], 0], [16 / 255, 239 / 255], atol=0.01)
    spread = images[:, 0, -1, 0] - images[:, 0, 0, 0]
    np.testing.assert_allclose(spread, [223 / 341, 223 / 256, 223 / 256, 223 / 637], atol=0.02)


def test_no_image_classification(data_dir):
    picture = [PIL.Image.fromarray(np.zeros((4, 4), np.uint8))]
    image = tfds.features.Image(shape=(4, 4, 1))
    write_dataset(data_dir, "Regression", image, picture, label=tfds.features.Scalar(np.int64))
    with pytest.raises(ValueError, match=r"'label' \(ClassLabel\); it has \['image', 'label'\]"):
        datasets.load("regression", "test", data_dir=data_dir)
    deep = [PIL.Image.fromarray(np.zeros((4, 4), np.uint16))]
    write_dataset(data_dir, "Deep", tfds.features.Image(shape=(4, 4, 1), dtype=np.uint16), deep)
    with pytest.raises(ValueError, match="must be uint8"):
        datasets.load("deep", "test", data_dir=data_dir)


@pytest.mark.parametrize(
    ("name", "split", "error", "message"),
    [
        ("mnist", "test", FileNotFoundError, r"(?s)which holds: .*digits:1.0.0.*mnist/<version>.*download_and_prepare"),
        ("imagenet2012", "validation", FileNotFoundError, "ILSVRC2012_img_val.tar"),
        ("digits:2.0.0", "test", FileNotFoundError, "digits:1.0.0"),
        ("digits/config", "test", FileNotFoundError, "digits:1.0.0"),
        ("../digits", "test", ValueError, "name must look like"),
        ("", "test", ValueError, "name must look like"),
        (None, "test", ValueError, "name must look like"),
        ("digits", "validation", ValueError, r"'train': 1297, 'test': 500"),
        ("digits", "test[:0]", ValueError, "selects no image"),
        ("digits", "test[9:5]", ValueError, "selects no image"),
        ("digits", "test[:9999]", ValueError, "'test': 500"),
        ("digits", "test[:x]", ValueError, r"split = 'test\[:x\]' is not possible"),
        ("digits", "", ValueError, "is not possible"),
        ("digits", 3, TypeError, "split must be a string"),
    ],
)
def test_what_does_not_exist(data_dir, name, split, error, message):
    datasets.load("digits", "test[:1]", data_dir=data_dir)
    for read in (datasets.load, datasets.source):
        with pytest.raises(error, match=message):
            read(name, split, data_dir=data_dir)


def test_folders_that_do_not_fit(tmp_path):
    with pytest.raises(FileNotFoundError, match="which holds: none"):
        datasets.load("mnist", "test", data_dir=tmp_path / "absent")
    assert not (tmp_path / "absent").exists()
    with pytest.raises(TypeError, match="data_dir must be the path of a folder"):
        datasets.load("digits", "test", data_dir=3)
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="cannot be written"):
        datasets.load("digits", "test", data_dir=tmp_path / "file")
    (tmp_path / "torn" / "1.0.0").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match="'torn' is not in"):
        datasets.load("torn", "test", data_dir=tmp_path)


def test_the_newest_version_wins(tmp_path, data_dir):
    datasets.load("digits", "test[:1]", data_dir=data_dir)
    for version in ("9.0.0", "10.0.0"):
        os.makedirs(tmp_path / "several" / version)
        for file in (data_dir / "digits" / "1.0.0").iterdir():
            text = (
                file.read_bytes().replace(b'"name": "digits"', b'"name": "several"').replace(b"1.0.0", version.encode())
            )
            (tmp_path / "several" / version / file.name.replace("digits", "several")).write_bytes(text)
    assert "10.0.0" in datasets.source("several", "test", data_dir=tmp_path).dataset_info.full_name
    assert len(datasets.load("several:9.0.0", "test", data_dir=tmp_path)[1]) == 500


def test_a_missing_package_names_the_extra(monkeypatch, data_dir):
    monkeypatch.setitem(sys.modules, "array_record", None)
    with pytest.raises(ImportError, match=r'need array_record.*pip install "jaxsmooth\[data\]"'):
        datasets.load("mnist", "test", data_dir=data_dir)
    with pytest.raises(ImportError, match="need array_record"):
        datasets.source("digits", "test", data_dir=data_dir)


@pytest.mark.parametrize(
    "split", ["train", "test", "all", "test[:100]", "test[90%:]", "test[7:9]", "train[-5:]+test[:3]"]
)
def test_digits_without_tfds_are_the_same(monkeypatch, data_dir, split):
    images, labels = datasets.load("digits", split, data_dir=data_dir)
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    others, of_others = datasets.load("digits", split, data_dir="nowhere")
    np.testing.assert_array_equal(others, images)
    np.testing.assert_array_equal(of_others, labels)
    assert (others.dtype, of_others.dtype) == (images.dtype, labels.dtype)
    assert others.flags.c_contiguous and others.flags.writeable


@pytest.mark.parametrize(
    ("split", "error", "message"),
    [
        ("validation", ValueError, r"'train': 1297, 'test': 500"),
        ("test[:0]", ValueError, "selects no image"),
        ("test[9:5]", ValueError, "selects no image"),
        ("test[:9999]", ValueError, "'test': 500"),
        ("test[:x]", ValueError, r"split = 'test\[:x\]' is not possible"),
        ("", ValueError, "is not possible"),
        (3, TypeError, "split must be a string"),
    ],
)
def test_splits_of_digits_without_tfds_that_do_not_exist(monkeypatch, split, error, message):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(error, match=message):
        datasets.load("digits", split)


@pytest.mark.data
@pytest.mark.skipif("JAXSMOOTH_DATA_DIR" not in os.environ, reason="JAXSMOOTH_DATA_DIR is not set")
@pytest.mark.parametrize(
    ("name", "shape", "test_classes"),
    [
        ("mnist", (10_000, 28, 28, 1), [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]),
        ("fashion_mnist", (10_000, 28, 28, 1), [1000] * 10),
        ("cifar10", (10_000, 32, 32, 3), [1000] * 10),
    ],
)
def test_official_data_sets(name, shape, test_classes):
    root = Path(os.environ["JAXSMOOTH_DATA_DIR"])
    if not (root / name).is_dir():
        pytest.skip(f"{name} is not in JAXSMOOTH_DATA_DIR")
    images, labels = datasets.load(name, "test", data_dir=root)
    assert images.shape == shape
    assert np.bincount(labels).tolist() == test_classes
    assert (images.min(), images.max()) == (0.0, 1.0)


# --- damaged files

SHARD = "own-test.array_record-00001-of-00002"


@pytest.fixture(scope="module")
def sharded(tmp_path_factory):
    """A data set in two files of four images, which do not compress; each file has several chunks."""
    root = tmp_path_factory.mktemp("sharded")
    pixels = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), np.uint8)
    image = tfds.features.Image(shape=(32, 32, 3))
    write_dataset(root, "Own", image, [PIL.Image.fromarray(p) for p in pixels], shards=2)
    assert len(datasets.load("own", "test", data_dir=root)[1]) == 8
    return root


def overwrite(where):
    def damage(file):
        content = bytearray(file.read_bytes())
        start = content.index(b"IDAT") + 200 if where == "image" else where
        content[start : start + 40] = bytes(40)
        file.write_bytes(content)

    return damage


def rewrite(change):
    """The records, changed, in a file that is whole."""

    def damage(file):
        from array_record.python.array_record_module import ArrayRecordReader, ArrayRecordWriter

        reader = ArrayRecordReader(str(file))
        records = reader.read_all()
        reader.close()
        writer = ArrayRecordWriter(str(file), "group_size:1")
        for record in change(records):
            writer.write(record)
        writer.close()

    return damage


DAMAGES = {
    "empty": (SHARD, lambda file: file.write_bytes(b""), "should be at least 64KB"),
    "a pointer": (SHARD, lambda file: file.write_text("version https://git-lfs.github.com/spec/v1\n"), "64KB"),
    "cut": (SHARD, lambda file: file.write_bytes(file.read_bytes()[:-70_000]), "."),
    "bytes changed": (SHARD, overwrite("image"), "hash mismatch"),
    "missing": (SHARD, Path.unlink, "it is missing"),
    "records lost": (SHARD, rewrite(lambda records: records[:-1]), "it holds 3 records, and dataset_info.json says 4"),
    "no image": (
        SHARD,
        rewrite(lambda records: [*records[:2], records[2].replace(b"PNG", b"GNP"), records[3]]),
        r"record 2, image 6 of 'test': cannot identify image file",
    ),
    "features": ("features.json", lambda file: file.write_text("{"), "line 1 column 2"),
    "description": ("dataset_info.json", lambda file: file.write_bytes(b"\0"), "line 1 column 1"),
    "description of something else": ("dataset_info.json", lambda file: file.write_text('{"a": 1}'), "features.json"),
}


@pytest.mark.parametrize("case", DAMAGES)
def test_damaged_files_are_named(sharded, tmp_path, case):
    name, damage, why = DAMAGES[case]
    shutil.copytree(sharded / "own", tmp_path / "own")
    file = tmp_path / "own" / "1.0.0" / name
    damage(file)
    with pytest.raises(
        ValueError, match=rf"(?s)'own' is damaged: {re.escape(str(file))}.*{why}.*; copy the file again"
    ):
        datasets.load("own", "test", data_dir=tmp_path)
    if case not in ("bytes changed", "no image"):  # these show when the record is read
        with pytest.raises(ValueError, match=f"is damaged: {re.escape(str(file))}"):
            datasets.source("own", "test", data_dir=tmp_path)


def test_whole_files_of_a_damaged_data_set_can_be_read(sharded, tmp_path):
    shutil.copytree(sharded / "own", tmp_path / "own")
    overwrite("image")(tmp_path / "own" / "1.0.0" / SHARD)
    assert len(datasets.load("own", "test[:4]", data_dir=tmp_path)[1]) == 4
    assert len(datasets.load("own", "train", data_dir=tmp_path)[1]) == 8


def test_damaged_digits_are_written_anew(data_dir, tmp_path):
    datasets.load("digits", "test[:1]", data_dir=data_dir)
    shutil.copytree(data_dir / "digits", tmp_path / "digits")
    (shard,) = (tmp_path / "digits" / "1.0.0").glob("*test*")
    shard.write_bytes(b"")
    with pytest.raises(ValueError, match=rf"delete {re.escape(str(shard.parent))} and load it again"):
        datasets.load("digits", "test", data_dir=tmp_path)
    shutil.rmtree(shard.parent)
    assert len(datasets.load("digits", "test", data_dir=tmp_path)[1]) == 500
