"""Which HTTP status and which of the vendor's words each of our errors becomes.

The only place that knows. Source: cloud.baidu.com/doc/VPC/s/sjwvyuhe7 (error codes). Refusals are never 5xx: the
vendor's SDKs ask again after those.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import NamedTuple

from netsim.api.auth import AuthError
from netsim.api.json_codec import BodyError
from netsim.errors import (
    ConflictError,
    InvalidError,
    NetsimError,
    NotFoundError,
    QuotaError,
    RefusedError,
    StateError,
    UsageError,
)


class HttpError(NetsimError):
    """A request refused before any rule of the product is asked: `code` is one of `STATUS`."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


STATUS: dict[str, HTTPStatus] = {
    "AccessDenied": HTTPStatus.FORBIDDEN,
    "BadRequest": HTTPStatus.BAD_REQUEST,
    "CidrConflict": HTTPStatus.CONFLICT,
    "IdempotentParameterMismatch": HTTPStatus.FORBIDDEN,
    "InappropriateJSON": HTTPStatus.BAD_REQUEST,
    "InvalidAccessKeyId": HTTPStatus.FORBIDDEN,
    "InvalidHTTPAuthHeader": HTTPStatus.BAD_REQUEST,
    "InvalidHTTPRequest": HTTPStatus.BAD_REQUEST,
    "InvalidURI": HTTPStatus.BAD_REQUEST,
    "InvalidVersion": HTTPStatus.NOT_FOUND,
    "LimitExceeded": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "MalformedJSON": HTTPStatus.BAD_REQUEST,
    "MethodNotAllowed": HTTPStatus.METHOD_NOT_ALLOWED,
    "NoSuchObject": HTTPStatus.NOT_FOUND,
    "OperationDenied": HTTPStatus.CONFLICT,
    "RequestEntityTooLarge": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "RequestExpired": HTTPStatus.BAD_REQUEST,
    "ResourceNeedRelease": HTTPStatus.CONFLICT,
    "ServiceInternalError": HTTPStatus.INTERNAL_SERVER_ERROR,
    "SignatureDoesNotMatch": HTTPStatus.BAD_REQUEST,
}


class ErrorAnswer(NamedTuple):
    """What the caller is told."""

    status: int
    code: str
    message: str


_BY_CLASS: tuple[tuple[type[NetsimError], str], ...] = (
    (NotFoundError, "NoSuchObject"),
    (QuotaError, "LimitExceeded"),
    (InvalidError, "BadRequest"),
    (StateError, "OperationDenied"),
    (ConflictError, "OperationDenied"),
    (RefusedError, "OperationDenied"),
    (UsageError, "BadRequest"),
)


def answer_to(error: Exception, conflict_code: str = "OperationDenied") -> ErrorAnswer:
    """What an error becomes. `conflict_code` is the operation's own word for a conflict, where it has one.

    What is no error of ours is told without its text: it may hold anything.
    """
    if isinstance(error, AuthError | BodyError | HttpError):
        return _answer(error.code, str(error))
    if isinstance(error, ConflictError):
        return _answer(conflict_code, str(error))
    for kind, code in _BY_CLASS:
        if isinstance(error, kind):
            return _answer(code, str(error))
    return _answer("ServiceInternalError", "the server failed, its log says why")


def _answer(code: str, message: str) -> ErrorAnswer:
    return ErrorAnswer(STATUS[code].value, code, message)
