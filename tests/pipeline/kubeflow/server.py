"""A server of Kubeflow Pipelines' API v2beta1, held to its published definition.

What is asked is read with the models that `kfp_server_api` is generated to from that definition,
and refused where it does not fit them; what is answered is written with them too.
"""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import kfp_server_api as api
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

ROOT = "/apis/v2beta1"
RUN_ID = "3f1c7a52-0000-4000-8000-5d7e1f2a9b10"


@dataclass
class Kfp:
    """What the server was asked, and what it answers.

    Attributes:
      url: of it.
      token: without which it lets nobody in; "" for everybody.
      seen: what a run is like, each time somebody looks; the last one stays.
      refusals: statuses of the next answers, before it answers again.
      asked: what it took, in order: the operation's path and the model that was sent.
      headers: of the last request.
    """

    url: str = ""
    token: str = ""
    seen: Sequence[api.V2beta1Run] = ()
    refusals: list[int] = field(default_factory=list)
    asked: list[tuple[str, Any]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    experiments: dict[str, api.V2beta1Experiment] = field(default_factory=dict)

    def sent(self, path: str) -> Any:
        """The one thing that was sent to an operation."""
        (found,) = (model for asked, model in self.asked if asked == path)
        return found


def fits(content: Any, kind: str) -> Any:
    """JSON as a model.

    Raises:
      ValueError: for a field that the definition does not have, or a value of another type.
    """
    _check(content, kind)
    reading: Any = api.ApiClient()
    return reading.deserialize(SimpleNamespace(data=json.dumps(content)), kind)


def _check(content: Any, kind: str) -> None:
    model = getattr(api, kind, None)
    if kind.startswith("list["):
        for one in content:
            _check(one, kind[5:-1])
    elif model is not None and hasattr(model, "attribute_map") and model.openapi_types:
        names = {key: name for name, key in model.attribute_map.items()}
        for key, value in content.items():
            if key not in names:
                raise ValueError(f"{kind} has no field {key}")
            # An int64: a string by the definition, but its servers take numbers, and kfp sends one.
            if key != "max_concurrency":
                _check(value, model.openapi_types[names[key]])
    elif kind == "str" and not isinstance(content, str):
        raise ValueError(f"{content!r} is no string")


def _is_package(sent: Any) -> None:
    """What the real server does with a package first."""
    json_format.ParseDict(sent["pipeline_spec"], pipeline_spec_pb2.PipelineSpec())
    if "platform_spec" in sent:
        json_format.ParseDict(sent["platform_spec"], pipeline_spec_pb2.PlatformSpec())
    if sent["pipeline_spec"]["schemaVersion"] != "2.1.0":
        raise ValueError("unsupported schema version")


@contextmanager
def serving() -> Iterator[Kfp]:
    """A server for the time of a block."""
    kfp = Kfp()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(None)

        def do_POST(self) -> None:
            self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def _answer(self, content: Any) -> None:
            kfp.headers = dict(self.headers)
            url = urlsplit(self.path)
            if kfp.refusals:
                self._say(kfp.refusals.pop(0), {"message": "not\nnow", "code": 14})
            elif kfp.token and self.headers.get("Authorization") != f"Bearer {kfp.token}":
                self._say(401, {"error": "Unauthenticated"})
            elif not url.path.startswith(f"{ROOT}/"):
                self._say(404, {})
            else:
                path = url.path.removeprefix(f"{ROOT}/")
                try:
                    self._say(200, _operate(kfp, path, parse_qs(url.query), content))
                except (ValueError, KeyError, json_format.ParseError) as error:
                    self._say(400, {"message": f"invalid: {error}", "code": 3})

        def _say(self, status: int, content: Any) -> None:
            data = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kfp.url = f"http://127.0.0.1:{httpd.server_port}"
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    try:
        yield kfp
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()


def _operate(kfp: Kfp, path: str, query: dict[str, list[str]], content: Any) -> Any:
    if path == "healthz":
        return {"multi_user": False}
    if path == "experiments" and content is None:
        wanted = json.loads(query["filter"][0])["predicates"][0]["stringValue"]
        found = [one for name, one in kfp.experiments.items() if name == wanted]
        return _plain({"experiments": found})
    if path == "experiments":
        made = fits(content, "V2beta1Experiment")
        made.experiment_id = f"experiment-{len(kfp.experiments)}"
        kfp.experiments[made.display_name] = made
        kfp.asked.append((path, made))
        return _plain(made)
    if path == "runs":
        run = fits(content, "V2beta1Run")
        _is_package(run.pipeline_spec)
        kfp.asked.append((path, run))
        return _plain(api.V2beta1Run(run_id=RUN_ID, state="PENDING"))
    if path == "recurringruns":
        recurring = fits(content, "V2beta1RecurringRun")
        _is_package(recurring.pipeline_spec)
        kfp.asked.append((path, recurring))
        return _plain(api.V2beta1RecurringRun(recurring_run_id="recurring-1"))
    if path == f"runs/{RUN_ID}":
        now, *later = kfp.seen
        kfp.seen = later or [now]
        return _plain(now)
    raise KeyError(path)


def _plain(model: Any) -> Any:
    return api.ApiClient().sanitize_for_serialization(model)
