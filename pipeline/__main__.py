"""`python -m pipeline` is `agegender`."""

from pipeline.cli import main

main()
