"""The instant guess: a small network from what perception found to latent pose, turn and shape.
`fitting.guess` uses it.
"""
