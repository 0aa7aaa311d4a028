"""Whatever a source holds: no exception but a UserError, and no file lost.

A few hundred examples in `make test`, more than ten thousand in `make test-full`; the same ones
every time.
"""
