# The tiny model and the fake servers in front of it.
from tests.serving.client.conftest import fake, loaded, model_dir, rest_url  # noqa: F401
