import subprocess
import sys

import pytest

# Page faults of making and dropping 64 MiB twenty times, once it has been made before.
PROGRAM = """
import resource
import numpy as np
from cifar.backends import memory
{first}
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
np.ones(2**26, np.uint8)
before = faults()
for _ in range(20):
    np.ones(2**26, np.uint8)
print(faults() - before)
"""


def faults(first):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(first=first)], check=True, capture_output=True, text=True
    )
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="a matter of Linux and its C library")
def test_freed_memory_stays_mapped_and_is_used_again():
    assert faults("memory.keep_freed()") < faults("") / 20
