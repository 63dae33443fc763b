"""Damaged and hostile files against every reader of other people's files.

    python -m fuzz --minutes 10 [--target NAME ...] [--seed S]        (from engine/)

A case is made of target, seed and number alone, so that each can be made again. Cases run in
batches in child processes of bounded memory and time (`child`). What is no reading and no
KinflowError is a finding: it is saved to `fuzz/cases/`, where `tests/test_fuzz.py` reads every file
again for ever.
"""
