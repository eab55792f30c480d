"""Networks that others trained: pure functions of given weights. None comes with the project.

`from_state_dict` and `load` give an `Expert`; `python -m emojax.experts` lists what there is. Each
network's module holds what belongs to it besides: preprocessing, front ends, decoding.
"""

from emojax.experts import registry
from emojax.experts.expert import Expert, from_state_dict, load

__all__ = ["Expert", "from_state_dict", "load", "registry"]
