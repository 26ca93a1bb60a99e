"""What is installed, found and set on this machine, and what to do about it: the verb ``doctor``."""
