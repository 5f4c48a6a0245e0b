"""A client of the REST port that expects nothing but JSON."""

import json

import requests


class Asking:
    """ask(method, path, body) gives HTTP's status and the parsed answer; a dict is sent as JSON."""

    def __init__(self, port: int):
        self.port, self.address = port, f"http://127.0.0.1:{port}"
        self.session = requests.Session()
        self.session.trust_env = False  # no proxies

    def __call__(self, method: str, path: str, body=None, **options) -> tuple[int, dict]:
        body = json.dumps(body) if isinstance(body, dict) else body
        answer = self.session.request(method, self.address + path, data=body, **options)
        assert answer.headers["Content-Type"] == "application/json"
        return answer.status_code, answer.json()


def error(said: str, status: int = 400):
    """Equals an answer of {"error": message} where the message holds `said`."""

    class Error:
        def __eq__(self, answer):
            return answer[0] == status and answer[1].keys() == {"error"} and said in answer[1]["error"]

        def __repr__(self):
            return f"({status}, ...{said}...)"

    return Error()
