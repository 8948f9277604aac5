"""The demo: the Influence-Balanced loss on embedded handwritten digits, imbalance 20; under a minute on a laptop.

The learning rate drops by 0.1 at T1, not by the IB code's 0.01, which would leave 16 epochs nothing to learn with.
"""

from search_spaces.domains import Float, Int
from search_spaces.ib2021 import influence_balanced
from search_spaces.presets import digits_lt
from search_spaces.space import Space

DIGITS_IB = influence_balanced(digits_lt(imbalance=20), T1=8, lr_scale=0.1)

DEMO = Space(
    name="demo",
    about="IB on handwritten digits, imbalance 20: T1, epsilon, alpha",
    base=DIGITS_IB,
    domains={
        "T1": Int(path="phases.1.start", low=0, high=10),
        "epsilon": Float(path="phases.1.loss.epsilon", low=1e-8, high=1e-1, log=True),
        "alpha": Float(path="phases.1.loss.alpha", low=10, high=1e5, log=True),
    },
)
