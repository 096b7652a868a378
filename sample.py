"""The door to ``jaxgan sample`` for people who cloned the repository."""

import sys

from jaxgan.cli import main

if __name__ == '__main__':
    sys.exit(main(['sample', *sys.argv[1:]]))
