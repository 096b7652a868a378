"""The options of the commands that make images: one module a command, what ``jaxgan COMMAND --help`` lists."""
