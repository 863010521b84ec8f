"""The packages of a wheel: those of the tree, and conf/ (with the studies in it) as cifar/conf.

All else about the project is in pyproject.toml, which cannot say the second."""

from setuptools import find_namespace_packages, setup

setup(
    packages=[*find_namespace_packages(include=["cifar*", "hydra_plugins*"]), "cifar.conf"],
    package_dir={"cifar.conf": "conf"},
    package_data={
        "cifar": ["py.typed"],
        "cifar.compare": ["page/*"],
        "cifar.conf": ["**/*.yaml"],
        "cifar.evaluation": ["*.json"],
    },
)
