"""Statuses: a gRPC code and the message that a request is refused with."""

import grpc

CODES = {code.value[0]: code for code in grpc.StatusCode}
LIMIT = 1024


class StatusError(Exception):
    """A status other than OK, which a request is answered with. `message` is whole; gRPC sends `short`."""

    def __init__(self, code: grpc.StatusCode, message: str):
        super().__init__(message)
        self.code, self.message = code, message

    @property
    def short(self) -> str:
        """The message, cut above 1,024 characters."""
        return self.message if len(self.message) <= LIMIT else self.message[:LIMIT] + "...TRUNCATED"


def invalid(message: str) -> StatusError:
    return StatusError(grpc.StatusCode.INVALID_ARGUMENT, message)


def not_found(message: str) -> StatusError:
    return StatusError(grpc.StatusCode.NOT_FOUND, message)
