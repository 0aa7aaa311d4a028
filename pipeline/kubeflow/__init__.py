"""The same graph on Kubeflow Pipelines.

`package` compiles it, `step` is what a pod runs, `submission` sends a package and follows its run,
`client` speaks with the server, `ending` says how a run ended and has failures recorded.
"""
