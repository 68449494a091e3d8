"""Entry point of ``python -m omninet``."""

import sys

from omninet.command import main

sys.exit(main())
