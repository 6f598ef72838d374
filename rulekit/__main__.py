"""``python -m rulekit`` is the command `rulekit`."""

import sys

from rulekit.cli.main import main

sys.exit(main())
