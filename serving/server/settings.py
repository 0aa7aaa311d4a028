"""What the embedded server is told."""

import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from schema import features


class ServerSettings(BaseModel):
    """Settings of `agegender serve`.

    Attributes:
      base_path: the folder whose numeric subfolders are the versions.
      host: the address to listen at, for both protocols.
      grpc_port: 0 takes any free one.
      rest_port: likewise.
      keep: how many of the newest versions that load are served.
      labels: label to version; these versions are served too.
      poll_seconds: how often the folder is looked at.
      max_batch_size: pictures in a request and in a batch made of several.
      max_batch_wait_ms: the longest a picture waits for others to fill its batch.
      batch_threads: batches at work at the same time.
      max_queued: pictures that wait; what comes then is refused with RESOURCE_EXHAUSTED (429).
      max_requests: requests at work at the same time; beyond, refused likewise.
      max_body_bytes: of one request.
      max_held_bytes: of the bodies of all REST requests at work; beyond, refused likewise.
      max_pixels: of one decoded picture.
      request_seconds: after that a request is answered with DEADLINE_EXCEEDED (504).
      drain_seconds: what a stopping server gives to requests that are at work.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_path: Path
    model_name: str = features.MODEL_NAME
    host: str = "127.0.0.1"
    grpc_port: int = Field(8500, ge=0, le=65535)
    rest_port: int = Field(8501, ge=0, le=65535)
    keep: int = Field(1, ge=1)
    labels: dict[str, int] = {}
    poll_seconds: float = Field(1.0, gt=0)
    max_batch_size: int = Field(64, ge=1)
    max_batch_wait_ms: float = Field(2.0, ge=0)
    batch_threads: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1)
    max_queued: int = Field(1024, ge=1)
    max_requests: int = Field(256, ge=1)
    max_body_bytes: int = Field(16 * 2**20, ge=1024)
    max_held_bytes: int = Field(256 * 2**20, ge=1024)
    max_pixels: int = Field(16_000_000, ge=1)
    request_seconds: float = Field(30.0, gt=0)
    drain_seconds: float = Field(30.0, ge=0)
