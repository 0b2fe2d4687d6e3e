"""The REST API with a page for people at `/`, and behind it `/demo`: which version answers, and why it scores so."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from serving.client.bulk.rows import PREDICTION
from serving.json_value import JsonObject, JsonValue
from serving.protocol.tensors import string_tensor
from serving.request_log.writer import RequestLog
from serving.server.errors import invalid_argument
from serving.server.manager import VersionManager
from serving.server.predict import DEFAULT_SIGNATURE, run_signature
from serving.server.rest.api import Answer, RestApi, answered, error_answer
from serving.server.rest.json_tensors import parse_object
from serving.server.servable import Servable
from serving.versions import version_folder
from serving.word_effects import explain_texts
from trainer.features import PROBABILITY, TITLE

Variants = Mapping[str, Callable[[str], str]]
"""Ways of writing a headline by their names for people; none returns an empty text."""

PATH = "/demo"
MAX_CHARACTERS = 20_000
"""Of a headline that is explained: it is scored up to 75 times."""

_STATIC = Path(__file__).parent / "static"
_FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/demo.css": ("demo.css", "text/css; charset=utf-8"),
    "/demo.js": ("demo.js", "text/javascript; charset=utf-8"),
    "/demo.svg": ("demo.svg", "image/svg+xml"),
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
_HEADERS = (
    f"Content-Security-Policy: {_POLICY}",
    "X-Content-Type-Options: nosniff",
    "Referrer-Policy: no-referrer",
    "Cross-Origin-Opener-Policy: same-origin",
    "Cross-Origin-Resource-Policy: same-origin",
    "Cache-Control: no-cache",
)


class DemoApi(RestApi):
    """The REST API of a manager's model, and the demo page with what it shows of a headline.

    `GET /demo` names the version that answers and its unsure band. `POST /demo` with `{"text": "..."}` adds the text's
    score, the effects of its words and the scores of its variants, all of one version. Neither is logged.
    """

    def __init__(
        self,
        manager: VersionManager[Servable],
        variants: Variants,
        timeout_ms: int = 0,
        request_log: RequestLog | None = None,
    ):
        super().__init__(manager, timeout_ms, request_log)
        self._variants = variants

    def answer(self, method: str, path: str, body: bytes, *, origin: bool = False) -> Answer:
        """As `RestApi.answer`."""
        if path in _FILES:
            if method not in ("GET", "HEAD"):
                return error_answer(405, f"{path} must be read by GET. Received: {method}.")
            name, content_type = _FILES[path]
            return Answer(200, (_STATIC / name).read_bytes(), content_type, _HEADERS)
        if path == PATH:
            return answered(lambda: self._demo(method, body))
        return super().answer(method, path, body, origin=origin)

    def _demo(self, method: str, body: bytes) -> JsonObject:
        if method not in ("GET", "POST"):
            raise invalid_argument(f"{PATH} must be called by GET or POST. Received: {method}.")
        text = _text(parse_object(body)) if method == "POST" else None
        config = self._manager.config
        with self._manager.acquire(config.name) as servable:
            card = version_folder.read_card(config.base_path, servable.version)
            facts: JsonObject = {
                "model": config.name,
                "version": str(servable.version),  # JSON's numbers end at 2 ** 53
                "unsure": list(card.threshold.unsure) if card and card.threshold else None,
                "columns": {"text": TITLE, "score": PROBABILITY, "class": PREDICTION},
            }
            return facts if text is None else facts | self._explain(text, servable)

    def _explain(self, text: str, servable: Servable) -> JsonObject:
        def score(texts: Sequence[str]) -> Iterable[float]:
            signature = servable.signatures.get(DEFAULT_SIGNATURE)
            if signature is None or TITLE not in signature.inputs or PROBABILITY not in signature.outputs:
                raise invalid_argument(
                    f"A model that is explained must have the signature {DEFAULT_SIGNATURE} from {TITLE} to "
                    f"{PROBABILITY}. Received: version {servable.version}, which has none. Serve one of this project."
                )
            inputs = {TITLE: string_tensor([text.encode() for text in texts])}
            outputs = run_signature(servable, signature, inputs, (PROBABILITY,), self._timeout_ms)
            return map(float, outputs[PROBABILITY].reshape(-1))

        (explanation,) = explain_texts([text], score)
        written = {name: write(text) for name, write in self._variants.items()}
        scores = zip(written.items(), score(list(written.values())), strict=True)
        words: list[JsonValue] = [{"word": word.text, "effect": _finite(word.effect)} for word in explanation.words]
        variants: list[JsonValue] = [
            {"name": name, "text": variant, "score": _finite(scored)} for (name, variant), scored in scores
        ]
        return {
            "score": _finite(explanation.score),
            "words": words,
            "words_left": explanation.words_left,
            "variants": variants,
        }


def _text(document: JsonObject) -> str:
    text = document.get("text")
    if not isinstance(text, str) or not text.strip():
        raise invalid_argument("'text' must be a headline. Received: none.")
    if len(text) > MAX_CHARACTERS:
        raise invalid_argument(
            f"A headline that is explained must have at most {MAX_CHARACTERS:,} characters. Received: {len(text):,}. "
            "Shorten it; its score is there without an explanation."
        )
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise invalid_argument(f"'text' must be UTF-8. Received: {text[:40]!a}.") from error
    return text


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
