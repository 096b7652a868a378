"""What a person does with a trained generator: each command of the command line that makes images is a module here."""
