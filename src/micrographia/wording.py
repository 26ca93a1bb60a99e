"""What probes and methods of super-resolution are called where people read of them: in tables, pages and figures."""

PROBES = {"gbt": "boosted trees", "mlp": "perceptron", "logistic": "logistic regression"}
METHODS = {
    "bicubic": "bicubic",
    "no_regularization": "without regularisation",
    "pulse": "PULSE",
    "brgm": "BRGM",
    "gaussianized_w": "Gaussianised W",
    "no_pw": "without p(w)",
    "no_cross": "without p(cross)",
    "rls": "RLS",
    "rls_plus": "RLS+",
    "rls_short": "RLS, learnt start",
    "supervised": "supervised network",
    "hr": "high resolution",  # no method, but stands among them
}


def probe_words(name: object) -> str:
    """What a probe is called; one of the user's own by its name.

    Examples
    --------
    >>> probe_words("gbt"), probe_words("svm")
    ('boosted trees', 'svm')
    """
    return PROBES.get(str(name), str(name))


def method_words(name: object) -> str:
    """What a method is called; one of the user's own by its name, with spaces.

    Examples
    --------
    >>> method_words("no_pw"), method_words("rls"), method_words("my_search")
    ('without p(w)', 'RLS', 'my search')
    """
    return METHODS.get(str(name), str(name).replace("_", " "))
