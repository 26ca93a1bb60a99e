"""The names of ``import micrographia as mg``: the commands as functions, and what they return."""

import warnings

# Of a bar that nobody sees: tqdm comes with Lightning, and progress is shown by our own.
warnings.filterwarnings("ignore", "IProgress not found")
