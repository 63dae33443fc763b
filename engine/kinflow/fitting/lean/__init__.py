"""The solver's equations once more in numpy, for the CPU.

There most of torch's time is the overhead of its many small calls. These modules compute the same energies and the
same Gauss-Newton rows as `fitting.evaluate`, `fitting.residuals` and `fitting.solver` with fewer and cheaper calls, and
are tested against them. Other devices, and priors without a numpy form, go the torch way.
"""
