"""Compose the config of a run with Hydra, then run it."""

import sys

from cifar.start import main

if __name__ == "__main__":
    main(sys.argv[1:])
