"""Images from a model that is served, in three lines:

    from tfdfm.client import connect
    client = connect("localhost:8501")
    images = client.images(seeds=range(64), labels=3)        # float32 [64, H, W, C] in [0, 1]

An address is http://, https:// (REST), grpc:// or grpcs://, then HOST:PORT. Without a scheme the port itself is asked
which of REST and gRPC it speaks, without TLS. REST needs no TensorFlow; gRPC imports it, and carries images faster.
"""

from tfdfm.client.client import Client, connect
from tfdfm.client.endpoint import EndpointError

__all__ = ["Client", "EndpointError", "connect"]
