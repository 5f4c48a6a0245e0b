"""What a request is refused with: a gRPC code and a message."""

import grpc

CODES = {code.value[0]: code for code in grpc.StatusCode}
LIMIT = 1024


class Refused(Exception):
    """A request that is answered with an error. `message` is whole; gRPC sends `short`."""

    def __init__(self, code: grpc.StatusCode, message: str):
        super().__init__(message)
        self.code, self.message = code, message

    @property
    def short(self) -> str:
        """The message, cut above 1,024 characters."""
        return self.message if len(self.message) <= LIMIT else self.message[:LIMIT] + "...TRUNCATED"


def invalid(message: str) -> Refused:
    return Refused(grpc.StatusCode.INVALID_ARGUMENT, message)


def not_found(message: str) -> Refused:
    return Refused(grpc.StatusCode.NOT_FOUND, message)
