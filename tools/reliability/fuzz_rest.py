"""What a hostile client of the REST port sends: `case(rng)` makes the bytes of one connection."""

import gzip
import json
import zlib
from typing import NamedTuple

import draws
import numpy as np
from draws import one

PREDICT, INFER = "/v1/models/default:predict", "/v2/models/default/infer"
SIGNATURES = ["serving_default", "png", "unconditional", "from_latents", "latents", "none", "\x00", 3, None, "\ud800"]
NUMBERS = [
    "1e999", "-1e999", "1" + "0" * 400, "9" * 5000, "NaN", "-Infinity", "1e-400", "-0", "0.1", "1.0", "01", "+1",
    "9223372036854775808", "1" + "0" * 60_000 + ".5", "1e" + "9" * 30, "0x10", "1_000",
]  # fmt: skip
VALUES = [
    None,
    True,
    [],
    {},
    "1",
    "",
    {"b64": "AA"},
    {"b64": 3},
    [[1]],
    [1, [2]],
    [1, None],
    -1,
    3,
    2**63,
    1.5,
    "\ud800",
]
PATHS = [
    "/", "/v1", "/v1/", "/v2", "/v2/", "/models.json", "/v2/health/live", "/v2/health/ready", "/v2/models/default",
    "/v2/models/default/versions/" + "9" * 5000, "/v1/models", "/v1/models/", "/v1/models/default/metadata",
    "/v1/models/default/versions/99999999999999999999", "/v1/models/default/labels/none:predict", "/v1/models/%00",
    "/v1/models/%ff%fe/metadata", "/v1/models/..%2f..%2fetc", "/v1/models/default:explode", "//v1//models", "*",
    "http://other/v1/models/default", "http://[::1/", "/v1/models/default?a=" + "b" * 3000, "/\x7f", "/é", "other:80",
    "/monitoring/prometheus/metrics", "/v1/models/default/versions/1/labels/a", "/v1/models/" + "a" * 7000,
]  # fmt: skip
METHODS = ["GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH", "CONNECT", "TRACE", "get", "BREW", "PRI"]


class Case(NamedTuple):
    """The bytes of one connection, in parts; how many answers it may have at most."""

    kind: str
    parts: tuple[bytes, ...]
    answers: int = 1
    good: bool = False  # it must be answered with 200


def post(body: bytes, path: str = PREDICT, **headers: str) -> bytes:
    lines = {"Host": "here", "Content-Length": str(len(body)), "Connection": "close"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode("utf-8", "surrogateescape") + body


def valid(rng: np.random.Generator) -> dict:
    rows = int(rng.integers(1, 5))
    return {"inputs": {"seed": rng.integers(0, 64, rows).tolist(), "labels": rng.integers(0, 3, rows).tolist()}}


def mutated(rng: np.random.Generator) -> Case:
    """One to three changes to the fields and types of a valid request."""
    made, path = valid(rng), PREDICT
    for _ in range(rng.integers(1, 4)):
        change, name = rng.integers(7), one(rng, ["seed", "labels"])
        if change == 0:
            made["inputs"] = one(rng, VALUES)
        elif change == 1 and isinstance(made.get("inputs"), dict):
            made["inputs"][name] = one(rng, VALUES)
        elif change == 2 and isinstance(made.get("inputs"), dict):
            made["inputs"].pop(name, None)
        elif change == 3:
            made["signature_name"] = one(rng, SIGNATURES)
        elif change == 4:
            made["instances"] = one(rng, [made.pop("inputs", 1), [made.get("inputs")], one(rng, VALUES)])
        elif change == 5:
            made["examples"], path = one(rng, VALUES), PREDICT.replace("predict", one(rng, ["classify", "regress"]))
        else:
            made[one(rng, ["more", "", "inputs ", "k" * 3000])] = one(rng, VALUES)
    return Case("JSON, mutated", (post(json.dumps(made).encode(), path),))


def torn(rng: np.random.Generator) -> Case:
    body = draws.torn(rng, json.dumps(valid(rng)).encode(), 3)
    return Case("JSON, torn bytes", (post(body, one(rng, [PREDICT, INFER])),))


def numbers(rng: np.random.Generator) -> Case:
    number, path, name = one(rng, NUMBERS), PREDICT, one(rng, ["seed", "latents"])
    text = f'{{"inputs": {{"{name}": [{number}], "labels": [0]}}'
    text += ', "signature_name": "from_latents"}' if name == "latents" else "}"
    if rng.random() < 0.4:
        shape = one(rng, ["1", number])
        kind, path = one(rng, ["INT64", "FP32", "UINT8", "BOOL", "FP16"]), INFER
        text = f'{{"inputs": [{{"name": "seed", "datatype": "{kind}", "shape": [{shape}], "data": [{number}]}}]}}'
    return Case("JSON, giant and odd numbers", (post(text.encode(), path),))


def nested(rng: np.random.Generator) -> Case:
    deep = int(one(rng, [60, 70, 900, 1100, 100_000]))
    before, after = one(rng, [("[", "]"), ('{"a":', "}"), ("[[", "]]"), ('{"b64":', "}")])
    value = before * deep + "1" + after * deep * int(rng.random() < 0.8)
    flat = "1," * int(one(rng, [0, 1000, 200_000]))
    text = f'{{"inputs": {{"seed": [{flat}{value}], "labels": [0]}}}}'
    if rng.random() < 0.5:
        asked = f'{{"inputs": [{{"name": "seed", "datatype": "INT64", "shape": [1], "data": [{flat}{value}]}}]}}'
        return Case("JSON, nested", (post(asked.encode(), INFER),))
    return Case("JSON, nested", (post(text.encode()),))


def many(rng: np.random.Generator) -> Case:
    """What costs more than its bytes: keys, examples with a context, rows, strings."""
    count, kind = int(one(rng, [100, 5000, 100_000])), rng.integers(4)
    if kind == 0:
        keys = [*(f"k{i}" for i in range(count)), f"k{count - 1}"]
        text, path = "{" + ",".join(f'"{key}":1' for key in keys) + "}", PREDICT
    elif kind == 1:
        context = ",".join(f'"f{i}":1' for i in range(count // 10))
        text = f'{{"context": {{{context}}}, "examples": [{",".join(["{}"] * count)}]}}'
        path = PREDICT.replace("predict", "classify")
    elif kind == 2:
        text, path = json.dumps({"instances": [{"seed": 1, "labels": 1}] * count}), PREDICT
    else:
        text, path = json.dumps({"inputs": {"seed": ["a"] * count, "labels": "b" * count}}), PREDICT
    return Case("JSON, many values", (post(text.encode(), path),))


def encoded(rng: np.random.Generator) -> Case:
    """Other charsets, compression that is true, false, double, cut, a bomb."""
    body = json.dumps(valid(rng)).encode()
    how = rng.integers(9)
    if how < 3:
        charset = ("utf-16", "utf-8-sig", "utf-32")[how]
        sent = body.decode().encode(charset)
        return Case("JSON, other charsets", (post(sent, Content_Type=f"application/json; charset={charset}"),))
    if how == 3:
        squeeze, name = one(rng, [(gzip.compress, "gzip"), (zlib.compress, "deflate")])
        return Case("body, compressed", (post(squeeze(body), Content_Encoding=name),), good=True)
    bomb = gzip.compress(bytes(1 << int(one(rng, [20, 27, 28]))), 9) if how == 4 else b""
    sent, name = {
        4: (bomb, "gzip"),
        5: (gzip.compress(gzip.compress(body)), "gzip, gzip"),
        6: (gzip.compress(body)[: int(rng.integers(1, 30))], "gzip"),
        7: (rng.bytes(100), one(rng, ["gzip", "deflate", "br", "zstd"])),
        8: (body, one(rng, ["gzip", "br", "identity", "none", "gzip" * 500, "\x00"])),
    }[int(how)]
    return Case(f"body, {'a gzip bomb' if how == 4 else 'falsely compressed'}", (post(sent, Content_Encoding=name),))


def paths(rng: np.random.Generator) -> Case:
    method, path = one(rng, METHODS), one(rng, PATHS)
    head = f"{method} {path} HTTP/{one(rng, ['1.1', '1.0', '1.1', '2.0', '9', ''])}\r\nHost: here\r\nConnection: close"
    return Case("methods and paths", ((head + "\r\n\r\n").encode("utf-8", "surrogateescape"),))


def headers(rng: np.random.Generator) -> Case:
    body, length = json.dumps(valid(rng)).encode(), "Inference_Header_Content_Length"
    odd = one(rng, [
        {"Expect": "100-continue"}, {"Expect": "other"}, {"Upgrade": "h2c", "Connection": "Upgrade, HTTP2-Settings"},
        {"Upgrade": "websocket", "Connection": "Upgrade"}, {"Content_Type": "multipart/form-data"},
        {"Content_Type": "application/x-www-form-urlencoded"}, {"Content_Type": "\u00e9;charset=\u00e9"},
        {"Range": "bytes=0-"}, {"Cookie": "a" * 5000},
        {"X": "a" * 70_000}, {f"X{i}": "1" for i in range(3000)}, {"Host": "a\\b"},
        {"Authorization": "Bearer \u00e9"}, {"Content_Length": "1e1"}, {"Content_Length": "9" * 30},
        {"Content_Length": "+5"}, {"Origin": "null"}, {length: "0" * 5000}, {length: "9" * 5000}, {length: "-1"},
        {length: "1"}, {length: "\u00b2"}, {length: ""},
    ])  # fmt: skip
    return Case("headers", (post(body, one(rng, [PREDICT, INFER]), **odd),), answers=2 if "Expect" in odd else 1)


WEIGHTS = {
    mutated: 25, torn: 12, numbers: 8, nested: 6, many: 3, encoded: 10, paths: 12, headers: 12,
}  # fmt: skip
