"""Weights of others, out of any file they come in, without running its code.

    reading: a file -> an inert tree      (pickles, standins, archives, torch_files, graphs, npy)
    state:   a tree -> a state dict       (nestings, prefixes, other releases' keys)
    layout:  a state dict -> checked float32 arrays
    safetensors: what is kept of it

`limits` bounds what a file may cost, `refusal` is the one error. Nothing here knows a network.
"""
