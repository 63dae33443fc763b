"""The posterior's residuals, one a file: `value` (nats) and `rows`, its Gauss-Newton form.

`tests/test_terms.py` holds every one of them against autograd, and numpy against torch.
"""
