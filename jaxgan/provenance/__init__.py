"""Where images come from and what they were made of: records, signatures, what can be verified of a file."""
