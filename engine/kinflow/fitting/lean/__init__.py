"""The solver's equations once more in numpy, for a few people on a CPU.

For one photo nearly all of torch's time is the overhead of its calls. These modules compute the same energies and the
same Gauss-Newton rows as `fitting.evaluate`, `fitting.residuals` and `fitting.solver` with fewer and cheaper calls, and
are tested against them. Larger batches, other devices and priors of the caller's own go the torch way.
"""
