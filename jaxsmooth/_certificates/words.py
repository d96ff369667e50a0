"""Words in certificates: why an image got no more votes, and which rule is behind a radius."""

import enum


class Reason(enum.StrEnum):
    """Why an image got no more votes, in words."""

    ALL_DRAWN = "all votes drawn"
    ALL_RADII = "all radii certified"
    OUT_OF_REACH = "no further radius in reach"
    LITTLE_TO_GAIN = "more votes would gain too little"
    LAST_LOOK = "n_max reached"
    NOT_RECORDED = "no more votes recorded"
    NOT_ALL_RECORDED = "not all votes recorded"


class Rule(str):
    """A radius rule in words, ``"name: source"``: its name, and the theorem behind it.

    Example:
        >>> rule = Rule("cohen_2019: Cohen et al. 2019, Theorem 1; exact")
        >>> rule.name, rule.source
        ('cohen_2019', 'Cohen et al. 2019, Theorem 1; exact')
    """

    @property
    def name(self) -> str:
        """The name under which the rule is registered."""
        return self.partition(": ")[0]

    @property
    def source(self) -> str:
        """Where it is proved."""
        return self.partition(": ")[2]
