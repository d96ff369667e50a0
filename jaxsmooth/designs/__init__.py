"""Designs: when to look at the votes of an image, when to stop, and what they prove then."""

from jaxsmooth.designs.adaptive import Adaptive as Adaptive
from jaxsmooth.designs.base import AbstractDesign as AbstractDesign
from jaxsmooth.designs.base import Finished as Finished
from jaxsmooth.designs.base import Setting as Setting
from jaxsmooth.designs.curve import Curve as Curve
from jaxsmooth.designs.exact import Exact as Exact
from jaxsmooth.designs.fixed import Fixed as Fixed
from jaxsmooth.designs.outputs import Outputs as Outputs
from jaxsmooth.designs.predict import Predict as Predict
from jaxsmooth.designs.top_k import TopK as TopK
from jaxsmooth.designs.values import Values as Values
from jaxsmooth.sampling.ballots import AbstractBallot as AbstractBallot
from jaxsmooth.sampling.ballots import Agreement as Agreement
from jaxsmooth.sampling.ballots import Winner as Winner
from jaxsmooth.sampling.bins import Bins as Bins
