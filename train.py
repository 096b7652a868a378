"""The door to ``jaxgan train`` for people who cloned the repository."""

import signal
import sys

if __name__ == '__main__':
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a traceback of the imports would tell nobody anything
    from jaxgan.cli import main

    sys.exit(main(['train', *sys.argv[1:]]))
