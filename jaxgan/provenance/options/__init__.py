"""The options of the commands of provenance: one module a command, what ``jaxgan COMMAND --help`` lists."""
