"""The door to ``jaxgan train`` for people who cloned the repository."""

import sys

from jaxgan.cli import main

if __name__ == '__main__':
    sys.exit(main(['train', *sys.argv[1:]]))
