"""Lists the frozen networks: `python -m emojax.experts`, or with a name for one of them."""

import sys

from emojax.experts import catalogue
from emojax.experts.checkpoint.refusal import CheckpointError

if __name__ == "__main__":
    try:
        sys.stdout.write(catalogue.text(sys.argv[1:]))
    except CheckpointError as error:
        sys.exit(str(error))
