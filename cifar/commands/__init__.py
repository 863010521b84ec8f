"""One file for each subcommand of `cifar`: `add(commands)` says what it takes, `run(arguments)` does it."""
