"""Which images these are: the published files, by their checksums, or others that are known by their fingerprints."""

PUBLISHED = "the published files"

# Of images and labels, as cifar.data.arrays computes it. The published files of CIFAR-10 and CIFAR-100 are known by the
# checksums below instead.
KNOWN = {
    "dd8a7d2096b5c30f": "the digits of scikit-learn",
    "ce046832bab115dd": "a copy of CIFAR-100 with the published means and deviations of all channels",
    "19d5273def5999c7": "a copy of CIFAR-10 in which 103 images are not exact",
    "42fb3ed17758280b": "CIFAR-10 after one pass through JPEG",
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
