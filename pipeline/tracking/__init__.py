"""Every experiment on record in MLflow.

What is to be recorded is first written to a journal on this machine (`journal`), then delivered to
MLflow (`delivery`), while a run goes on and, if MLflow does not answer, later: nothing is lost,
nothing is recorded twice. `recorder` says what is recorded of a run.
"""
