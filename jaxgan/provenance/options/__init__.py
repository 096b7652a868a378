"""Options of the commands on where images come from."""
