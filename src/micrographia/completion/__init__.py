"""What the shell offers at TAB: verbs, options, groups with their choices, keys with their values, runs and files."""
