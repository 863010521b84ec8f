import json
from importlib import metadata

import psutil

from cifar.runs import manifest


def test_it_says_versions_hardware_and_command():
    described = json.loads(json.dumps(manifest.describe()))
    assert described["versions"]["torch"] == metadata.version("torch")
    assert described["hardware"]["memory_bytes"] == psutil.virtual_memory().total
    assert described["hardware"]["cpu"]
    assert len(described["command"]) >= 2
