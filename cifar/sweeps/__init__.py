"""Many runs: planned together, each a process of its own, watched over and gone on with."""
