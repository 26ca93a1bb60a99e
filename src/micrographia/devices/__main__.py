"""``python -m micrographia.devices RANK``: a process that `micrographia.devices.crew` has started."""

import sys

from micrographia.devices.follower import main

if __name__ == "__main__":
    main(int(sys.argv[1]))
