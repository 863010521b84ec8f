"""CIFAR folders and tarballs in the official layout, whole and damaged."""

import dataclasses
import errno
import functools
import hashlib
import http.server
import io
import logging
import os
import pickle
import shutil
import socket
import tarfile
import threading
from pathlib import Path

import numpy as np
import pytest

from cifar.datasets import archives
from cifar.datasets.cifar import Cifar
from cifar.errors import UserError

CLASSES = {"cifar10": 10, "cifar100": 100}
CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
TRAINING, TEST = 200, 40


# ------------------------------------------------------------- pickles as Python 2 wrote them, protocol 2, byte by byte
def py2(value):
    """The pickle opcodes of a value of the official files, without header and end."""
    match value:
        case dict():
            return b"}(" + b"".join(py2(k) + py2(v) for k, v in value.items()) + b"u"
        case list():
            return b"](" + b"".join(map(py2, value)) + b"e"
        case str():
            return b"U" + bytes([len(value)]) + value.encode()
        case int():
            return b"J" + value.to_bytes(4, "little", signed=True)
        case np.ndarray():
            shape = b"(" + b"".join(map(py2, value.shape)) + b"t"
            kind = py2(value.dtype.str[1:]) + b"K\x00K\x01\x87R(K\x03" + py2(value.dtype.str[0])
            return (
                b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01"
                + shape
                + (b"cnumpy\ndtype\n" + kind + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89")
                + (b"T" + value.nbytes.to_bytes(4, "little") + value.tobytes() + b"tb")
            )
    raise TypeError(value)


def pickled(value):
    return b"\x80\x02" + py2(value) + b"."


def planar(images):
    """Rows of 3072 bytes: an image's red plane, then its green one, then its blue one."""
    return np.stack([np.concatenate([image[:, :, c].ravel() for c in range(3)]) for image in images])


class Official:
    """A small data set with the layout of an official one."""

    def __init__(self, name, seed=0):
        rng = np.random.default_rng(seed)
        self.name = name
        self.archive = archives.ARCHIVES[name]
        self.images = rng.integers(0, 256, (TRAINING + TEST, 32, 32, 3), dtype=np.uint8)
        self.labels = rng.permutation(np.arange(TRAINING + TEST) % CLASSES[name])
        self.names = [f"class {i}" for i in range(CLASSES[name])]

    def files(self):
        """{file name: its bytes}"""
        parts = {"cifar10": [f"data_batch_{i}" for i in range(1, 6)], "cifar100": ["train"]}[self.name]
        test, meta = {"cifar10": ("test_batch", "batches.meta"), "cifar100": ("test", "meta")}[self.name]
        rows = dict(zip(parts, np.split(np.arange(TRAINING), len(parts)), strict=True))
        rows[test] = np.arange(TRAINING, TRAINING + TEST)
        found = {part: pickled(self.batch(chosen)) for part, chosen in rows.items()}
        label_names = {"cifar10": {"label_names": self.names}, "cifar100": {"fine_label_names": self.names}}[self.name]
        return found | {meta: pickled({"coarse_label_names": ["any"], **label_names})}

    def batch(self, rows):
        labels = self.labels[rows].tolist()
        kinds = {
            "cifar10": {"labels": labels},
            "cifar100": {"fine_labels": labels, "coarse_labels": [y // 5 for y in labels]},
        }
        return {"batch_label": "a batch", **kinds[self.name], "data": planar(self.images[rows])}

    def write_folder(self, root, **replaced):
        folder = root / {"cifar10": "cifar-10-batches-py", "cifar100": "cifar-100-python"}[self.name]
        folder.mkdir(parents=True, exist_ok=True)
        for file, content in (self.files() | replaced).items():
            (folder / file).write_bytes(content)
        return folder

    def write_tarball(self, root):
        path = root / {"cifar10": "cifar-10-python.tar.gz", "cifar100": "cifar-100-python.tar.gz"}[self.name]
        folder = {"cifar10": "cifar-10-batches-py", "cifar100": "cifar-100-python"}[self.name]
        return tarball(path, {f"{folder}/{file}": content for file, content in self.files().items()})

    def assert_equals(self, loaded):
        np.testing.assert_array_equal(loaded.train_images, self.images[:TRAINING])
        np.testing.assert_array_equal(loaded.train_labels, self.labels[:TRAINING])
        np.testing.assert_array_equal(loaded.test_images, self.images[TRAINING:])
        np.testing.assert_array_equal(loaded.test_labels, self.labels[TRAINING:])
        assert loaded.train_labels.dtype == loaded.test_labels.dtype == np.int64
        assert loaded.class_names == tuple(self.names)


def tarball(path, contents):
    with tarfile.open(path, "w:gz", compresslevel=1) as tar:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


@pytest.fixture
def official():
    return Official("cifar10")


@pytest.fixture
def refusing_url():
    """An address that refuses connections: its port is taken, and nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}/"


@pytest.fixture(autouse=True)
def _sources(refusing_url, monkeypatch):
    """No test here may reach the real sources."""
    for name, archive in archives.ARCHIVES.items():
        monkeypatch.setitem(archives.ARCHIVES, name, dataclasses.replace(archive, urls=(refusing_url,)))


# --------------------------------------------------------------------------------------------------------------- whole
@pytest.mark.parametrize("kind", ["folder", "tarball"])
@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_the_official_layout_is_read_to_the_right_pixels_labels_and_names(tmp_path, name, kind):
    official = Official(name)
    getattr(official, f"write_{kind}")(tmp_path)
    official.assert_equals(archives.load(name, str(tmp_path)))


def test_the_channel_statistics_are_of_the_training_images_alone(tmp_path, official):
    official.images[TRAINING:] = 0
    official.write_folder(tmp_path)
    loaded = archives.load("cifar10", str(tmp_path))
    training = official.images[:TRAINING].astype(np.float64)
    np.testing.assert_allclose(loaded.mean, training.mean((0, 1, 2)), rtol=1e-12)
    np.testing.assert_allclose(loaded.std, training.std((0, 1, 2)), rtol=1e-9)


def test_the_fingerprint_is_of_the_content_wherever_it_lies(tmp_path, official):
    for place, kind in (("a", "folder"), ("b", "tarball")):
        (tmp_path / place).mkdir()
        getattr(official, f"write_{kind}")(tmp_path / place)
    official.labels[TRAINING] = (official.labels[TRAINING] + 1) % 10  # of the first test image
    official.write_folder(tmp_path / "c")
    first, same, other = (archives.load("cifar10", str(tmp_path / place)).fingerprint for place in "abc")
    assert first == same != other


def test_the_published_files_are_known_by_their_checksums_packed_or_not(tmp_path, official, monkeypatch):
    monkeypatch.setattr(Cifar, "_check_complete", lambda *_: None)  # the folder is a small one
    for place in "abc":
        (tmp_path / place).mkdir()
    folder, tarball = official.write_folder(tmp_path / "a"), official.write_tarball(tmp_path / "b")
    official.labels[TRAINING] = (official.labels[TRAINING] + 1) % 10
    changed = official.write_folder(tmp_path / "c")
    checksums = {path.name: md5(path) for path in folder.iterdir() if path.name != "batches.meta"}
    monkeypatch.setitem(archives.CHECKSUMS, "cifar10", checksums)
    archive = dataclasses.replace(archives.ARCHIVES["cifar10"], md5=md5(tarball))
    monkeypatch.setitem(archives.ARCHIVES, "cifar10", archive)
    for _ in range(2):  # the second time as it was kept
        assert [archives.published("cifar10", str(tmp_path / place)) for place in "abc"] == [True, True, False]
        assert description(tmp_path / "a") == description(tmp_path / "b") == "the published files"
    shutil.rmtree(folder)
    assert archives.published("cifar10", str(tmp_path / "a")), "of the parsed arrays"
    shutil.copy(changed / "test_batch", changed / "data_batch_1")
    assert not archives.published("cifar10", str(tmp_path / "c"))


def test_images_that_are_not_known_are_a_warning(tmp_path, official, monkeypatch, caplog):
    monkeypatch.setattr(Cifar, "_check_complete", lambda *_: None)  # the folder is a small one
    monkeypatch.setattr(logging.getLogger("cifar"), "propagate", True)
    official.write_folder(tmp_path)
    assert description(tmp_path) is None
    # A set: tests of whole runs leave a second handler for the same records.
    (warning,) = {record.getMessage() for record in caplog.records if record.levelname == "WARNING"}
    fingerprint = archives.load("cifar10", str(tmp_path)).fingerprint
    assert f"in {tmp_path} are not the published ones, nor another known copy (fingerprint {fingerprint})" in warning
    monkeypatch.setitem(Cifar.known, fingerprint, "a copy")
    caplog.clear()
    assert description(tmp_path) == "a copy"
    assert not caplog.records


def description(root):
    return Cifar(name="cifar10", root=str(root), val_size=20, train_size=None, split_seed=0).load().description


def md5(path):
    return hashlib.md5(path.read_bytes()).hexdigest()


def test_a_root_may_start_with_a_tilde(tmp_path, official, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    official.write_folder(tmp_path / "images")
    official.assert_equals(archives.load("cifar10", "~/images"))


def test_splits_index_the_loaded_images_and_are_kept_beside_them(tmp_path, official, monkeypatch):
    monkeypatch.setattr(Cifar, "_check_complete", lambda *_: None)  # the folder is a small one
    official.write_folder(tmp_path)
    config = Cifar(name="cifar10", root=str(tmp_path), val_size=50, train_size=100, split_seed=0)
    first = config.load()
    assert (len(first.train), len(first.validation), len(first.test)) == (100, 50, TEST)
    for subset in (first.train, first.validation):
        assert subset.images.shape == (TRAINING, 32, 32, 3)
    np.testing.assert_array_equal(first.test.images[first.test.indices], official.images[TRAINING:])
    np.testing.assert_array_equal(first.test.labels, official.labels[TRAINING:])
    assert list((tmp_path / "cifar10-npy").glob("split-*.npz"))
    second = config.load()
    np.testing.assert_array_equal(first.train.indices, second.train.indices)
    np.testing.assert_array_equal(first.validation.indices, second.validation.indices)


# --------------------------------------------------------------------------------------------------------------- cache
def test_the_second_load_maps_the_cache_and_does_not_read_the_source(tmp_path, official):
    folder = official.write_folder(tmp_path)
    first = archives.load("cifar10", str(tmp_path))
    for file in folder.iterdir():  # same size and time of change, but nothing that could be read
        stat = file.stat()
        file.write_bytes(b"?" * stat.st_size)
        os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    second = archives.load("cifar10", str(tmp_path))
    for loaded in (first, second):
        official.assert_equals(loaded)
        assert isinstance(loaded.train_images, np.memmap)
        assert isinstance(loaded.test_images, np.memmap)
    assert dataclasses.astuple(first)[4:] == dataclasses.astuple(second)[4:]


def test_the_cache_alone_is_enough(tmp_path, official):
    source = official.write_tarball(tmp_path)
    archives.load("cifar10", str(tmp_path))
    source.unlink()
    official.assert_equals(archives.load("cifar10", str(tmp_path)))


def test_a_replaced_source_file_makes_the_cache_stale(tmp_path, official):
    folder = official.write_folder(tmp_path)
    archives.load("cifar10", str(tmp_path))
    changed_at = (folder / "test_batch").stat().st_mtime_ns
    official.images[TRAINING:] = 255 - official.images[TRAINING:]  # the new file is as long as the old one
    (folder / "test_batch").write_bytes(official.files()["test_batch"])
    os.utime(folder / "test_batch", ns=(changed_at + 1, changed_at + 1))
    official.assert_equals(archives.load("cifar10", str(tmp_path)))


def test_a_damaged_cache_is_parsed_anew(tmp_path, official):
    official.write_folder(tmp_path)
    archives.load("cifar10", str(tmp_path))
    kept = tmp_path / "cifar10-npy" / "train_images.npy"
    kept.write_bytes(kept.read_bytes()[:5000])
    official.assert_equals(archives.load("cifar10", str(tmp_path)))


def test_images_are_loaded_where_nothing_can_be_kept(tmp_path, official, caplog):
    official.write_folder(tmp_path)
    (tmp_path / "cifar10-npy").write_text("a file where the cache should be")
    official.assert_equals(archives.load("cifar10", str(tmp_path)))
    assert "every run will parse them again" in caplog.text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cifar-10-batches-py", "cifar10-npy"]


# ------------------------------------------------------------------------------------------------------------- damaged
def refusal(root, name="cifar10"):
    with pytest.raises(UserError) as caught:
        archives.load(name, str(root))
    assert not (root / f"{name}-npy").exists()
    return str(caught.value)


def test_a_missing_file_is_named(tmp_path, official):
    folder = official.write_folder(tmp_path)
    (folder / "data_batch_3").unlink()
    text = refusal(tmp_path)
    assert f"{folder} lacks data_batch_3: it is incomplete. Unpack cifar-10-python.tar.gz there again" in text


@pytest.mark.parametrize("kept", [0, 1, 30, 1000, -1])
def test_a_truncated_pickle_is_refused(tmp_path, official, kept):
    official.write_folder(tmp_path, data_batch_2=official.files()["data_batch_2"][:kept])
    assert "data_batch_2 is not a CIFAR file, or is damaged" in refusal(tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.0001, 0.5, 0.99])
def test_a_truncated_tarball_is_refused_with_a_way_out(tmp_path, official, share):
    path = official.write_tarball(tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    text = refusal(tmp_path)
    assert str(path) in text
    assert "it is truncated or not a tarball. Delete it to have it downloaded again." in text


def test_a_tarball_of_something_else_is_refused(tmp_path):
    path = tarball(tmp_path / "cifar-10-python.tar.gz", {"holidays/beach.jpg": b"sand"})
    assert f"{path} has no cifar-10-batches-py/data_batch_1: it is not cifar-10-python.tar.gz." in refusal(tmp_path)


def test_a_text_file_with_the_tarballs_name_is_refused(tmp_path):
    (tmp_path / "cifar-10-python.tar.gz").write_text("<html>Sign in to the network</html>")
    assert "it is truncated or not a tarball" in refusal(tmp_path)


ROWS = np.zeros((10, 3072), np.uint8)
LABELS = list(range(10))


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ({"data": ROWS[:, 1:], "labels": LABELS}, "its data is not uint8 [n, 3072]"),
        ({"data": ROWS.ravel(), "labels": LABELS}, "its data is not uint8 [n, 3072]"),
        ({"data": ROWS.astype(np.float32), "labels": LABELS}, "its data is not uint8 [n, 3072]"),
        ({"data": "pixels", "labels": LABELS}, "its data is not uint8 [n, 3072]"),
        ({"labels": LABELS}, "its data is not uint8 [n, 3072]"),
        ({"data": ROWS}, "it has no list labels of 10 labels"),
        ({"data": ROWS, "fine_labels": LABELS}, "it has no list labels of 10 labels"),
        ({"data": ROWS, "labels": LABELS[1:]}, "it has no list labels of 10 labels"),
        ({"data": ROWS, "labels": [*LABELS[1:], 10]}, "its labels are not whole numbers from 0 to 9"),
        ({"data": ROWS, "labels": [*LABELS[1:], -1]}, "its labels are not whole numbers from 0 to 9"),
        ({"data": ROWS, "labels": [*LABELS[1:], "cat"]}, "its labels are not whole numbers from 0 to 9"),
        ({"data": ROWS[:0], "labels": []}, "its labels are not whole numbers from 0 to 9"),
        (LABELS, "it holds a list, not a dictionary"),
    ],
)
def test_a_file_that_is_no_cifar_batch_is_refused(tmp_path, official, content, complaint):
    official.write_folder(tmp_path, data_batch_5=pickled(content))
    text = refusal(tmp_path)
    assert "data_batch_5" in text
    assert complaint in text


def test_cifar100_labels_may_reach_99_and_no_further(tmp_path):
    official = Official("cifar100")
    assert official.labels[:TRAINING].max() == 99
    official.labels[0] = 100
    official.write_folder(tmp_path)
    assert "train is damaged: its labels are not whole numbers from 0 to 99" in refusal(tmp_path, "cifar100")


def test_class_names_must_be_as_many_as_classes(tmp_path, official):
    del official.names[-1]
    official.write_folder(tmp_path)
    assert "batches.meta is damaged: it does not name 10 classes" in refusal(tmp_path)


@pytest.mark.parametrize("function", ["os system", "posix system", "subprocess getoutput", "builtins exec"])
def test_a_pickle_that_asks_for_anything_else_is_refused_and_not_run(tmp_path, official, function):
    marker = tmp_path / "was here"
    argument = f"open({str(marker)!r}, 'w')" if "exec" in function else f"touch '{marker}'"
    payload = b"\x80\x02c" + function.replace(" ", "\n").encode() + b"\nX"
    payload += len(argument).to_bytes(4, "little") + argument.encode() + b"\x85R."
    pickle.loads(payload)
    assert marker.exists(), "the payload works where it is not guarded against"
    marker.unlink()
    official.write_folder(tmp_path, test_batch=payload)
    assert f"it asks for {function.replace(' ', '.')}, which no CIFAR file does" in refusal(tmp_path)
    assert not marker.exists()


def test_a_root_that_is_a_file_is_refused(tmp_path):
    root = tmp_path / "cifar"
    root.write_text("")
    with pytest.raises(UserError, match=r"is a file; it must be the folder that holds cifar-10-batches-py/"):
        archives.load("cifar10", str(root))


# ------------------------------------------------------------------------------------------------------------ download
def test_offline_without_data_says_where_to_put_it_and_what_needs_none(tmp_path, refusing_url):
    text = refusal(tmp_path / "absent")
    for part in (
        f"cifar10 is not in {tmp_path / 'absent'} and could not be downloaded",
        refusing_url,
        "put cifar-10-python.tar.gz (or the folder cifar-10-batches-py/",
        "data.root=",
        "CIFAR_DATA_DIR",
        "data=digits",
    ):
        assert part in text


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


def test_absent_data_is_downloaded_checked_and_kept(tmp_path, official, monkeypatch):
    site, root = tmp_path / "site", tmp_path / "root"
    site.mkdir()
    published = official.write_tarball(site)
    handler = functools.partial(Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/{published.name}"
        md5 = hashlib.md5(published.read_bytes()).hexdigest()
        archive = dataclasses.replace(official.archive, urls=(url,), md5=md5)
        monkeypatch.setitem(archives.ARCHIVES, "cifar10", archive)
        official.assert_equals(archives.load("cifar10", str(root)))
        server.shutdown()
    official.assert_equals(archives.load("cifar10", str(root)))
    assert sorted(path.name for path in root.iterdir()) == ["cifar-10-python.tar.gz", "cifar10-npy"]


# ----------------------------------------------------------------------------------------------------------- real data
REAL = Path(os.environ.get("CIFAR_DATA_DIR", "")) / "cifar-10-batches-py"


@pytest.mark.skipif(
    "CIFAR_DATA_DIR" not in os.environ or not REAL.is_dir(), reason="CIFAR_DATA_DIR holds no cifar-10-batches-py"
)
def test_real_cifar10_has_its_published_shape(tmp_path):
    (tmp_path / "cifar-10-batches-py").symlink_to(REAL.resolve())  # its cache is kept in the temporary folder
    loaded = archives.load("cifar10", str(tmp_path))
    assert loaded.train_images.shape == (50_000, 32, 32, 3)
    assert loaded.test_images.shape == (10_000, 32, 32, 3)
    assert np.bincount(loaded.train_labels).tolist() == [5000] * 10
    assert np.bincount(loaded.test_labels).tolist() == [1000] * 10
    np.testing.assert_allclose(loaded.mean, (125.3, 123.0, 113.9), atol=2)
    assert loaded.class_names == CIFAR10_CLASSES


def test_an_empty_file_in_the_cache_is_parsed_anew(tmp_path, official):
    official.write_folder(tmp_path)
    archives.load("cifar10", str(tmp_path))
    (tmp_path / "cifar10-npy" / "train_labels.npy").write_bytes(b"")
    official.assert_equals(archives.load("cifar10", str(tmp_path)))


@pytest.mark.parametrize("place", [0.1, 0.3, 0.5, 0.7, 0.9, 0.95, 0.99])
def test_a_tarball_with_changed_bytes_is_refused(tmp_path, official, place):
    path = official.write_tarball(tmp_path)
    content = bytearray(path.read_bytes())
    start = int(place * len(content))
    content[start : start + 4] = bytes(255 - b for b in content[start : start + 4])
    path.write_bytes(content)
    assert "it is truncated or not a tarball" in refusal(tmp_path)


@pytest.mark.parametrize("labels", [[[y] for y in range(10)], [*range(9), [1, 2]]])
def test_labels_that_are_lists_are_refused(tmp_path, official, labels):
    official.write_folder(tmp_path, data_batch_5=pickled({"data": ROWS, "labels": labels}))
    assert "its labels are not whole numbers from 0 to 9" in refusal(tmp_path)


def test_class_names_must_be_names(tmp_path, official):
    official.names = list(range(10))
    official.write_folder(tmp_path)
    assert "batches.meta is damaged" in refusal(tmp_path)


def test_fewer_images_than_published_are_refused(tmp_path, official):
    official.write_folder(tmp_path)
    with pytest.raises(UserError, match="cifar10 has 50,000 and 10,000"):
        Cifar(name="cifar10", root=str(tmp_path), val_size=5000, train_size=None, split_seed=0).load()


def test_a_file_that_cannot_be_read_is_an_error_in_words(tmp_path, official, config):
    folder = official.write_folder(tmp_path)
    (folder / "data_batch_3").unlink()
    (folder / "data_batch_3").mkdir()
    with pytest.raises(UserError, match=r"cannot be read: .*data_batch_3.*Make it readable"):
        config(f"data.root={tmp_path}").data.load()


def test_a_file_system_that_cannot_map_files_or_set_permissions_is_no_obstacle(tmp_path, official, monkeypatch):
    official.write_folder(tmp_path)
    load, real = np.load, archives.load("cifar10", str(tmp_path))
    shutil.rmtree(tmp_path / "cifar10-npy")

    def without_mapping(path, mmap_mode=None, **options):
        if mmap_mode:
            raise OSError(errno.ENODEV, "No such device")
        return load(path, **options)

    def without_permissions(*_):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(np, "load", without_mapping)
    monkeypatch.setattr(Path, "chmod", without_permissions)
    for _ in range(2):  # parsed, then kept
        np.testing.assert_array_equal(archives.load("cifar10", str(tmp_path)).train_images, real.train_images)
    assert (tmp_path / "cifar10-npy" / "facts.json").exists()
