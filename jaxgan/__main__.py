"""``python -m jaxgan`` is the command line."""

import sys

from jaxgan.cli import main

sys.exit(main())
