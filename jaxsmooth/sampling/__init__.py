"""From images to votes: the only place that draws noise and calls the classifier."""

from jaxsmooth.sampling.count_votes import count_votes as count_votes
