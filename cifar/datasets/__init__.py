"""The data sets: each in a file of its own, which holds all that is known of it. This is the list of them."""

from typing import Annotated

from pydantic import Field

from cifar.datasets.cifar import Cifar
from cifar.datasets.digits import Digits
from cifar.datasets.folder import Folder

Data = Annotated[Cifar | Digits | Folder, Field(discriminator="name")]
# Fingerprint -> which copy of which images it is.
KNOWN = {fingerprint: copy for choice in (Cifar, Digits, Folder) for fingerprint, copy in choice.known.items()}
