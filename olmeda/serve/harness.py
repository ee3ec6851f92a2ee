"""A checkpoint as a model of lm-evaluation-harness, without a server between.

::

    python -m olmeda.serve.harness --model olmeda --model_args checkpoint=runs/x --tasks ...

is the harness's own command with this model known to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lm_eval.api.model import TemplateLM
from lm_eval.api.registry import register_model
from lm_eval.models.utils import normalize_gen_kwargs
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

from olmeda.base.errors import InputError
from olmeda.model.decode import Decoder, Prompt, Token
from olmeda.model.sampling import Sampling
from olmeda.serve.score import score
from olmeda.serve.served import Served
from olmeda.serve.text import TextStream

Asked = tuple[tuple[str, str], list[int], list[int]]
"""What the harness calls a request: texts, ids of the context, ids of its continuation."""
NEW_TOKENS = 256


@register_model("olmeda")
class OlmedaLM(TemplateLM):  # type: ignore[misc]
    """Log-likelihoods and greedy or drawn texts of one checkpoint."""

    def __init__(self, checkpoint: str, batch_size: int | str = 16, **_: Any) -> None:
        """``checkpoint``: a folder; ``batch_size``: texts that are written at a time."""
        super().__init__()
        self.served = Served.open(Path(checkpoint))
        rows = int(batch_size) if str(batch_size).isdigit() else 16
        self.decoder = Decoder(self.served.model, rows)
        self._chats = False

    @property
    def eot_token_id(self) -> int:
        """The id that ends a text, and that stands before one without a context."""
        return self.served.tokenizer.eos

    @property
    def tokenizer_name(self) -> str:
        """The tokenizer's identity, for the harness's cache of requests."""
        return self.served.tokenizer.digest

    def tok_encode(
        self, string: str, add_special_tokens: bool | None = None, **_: Any
    ) -> list[int]:
        """Ids of a text; of a rendered conversation, special tokens recognised."""
        return (
            self.served.chat.read(string) if self._chats else self.served.tokenizer.encode(string)
        )

    def chat_template(self, chat_template: bool | str = False) -> str | None:
        """The template's text, for the harness's records."""
        return self.served.chat.template if chat_template else None

    def apply_chat_template(
        self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True
    ) -> str:
        """A conversation as text."""
        self._chats = True
        return self.served.chat.render(chat_history, prompt=add_generation_prompt)

    def loglikelihood_rolling(
        self, requests: Sequence[Any], disable_tqdm: bool = False
    ) -> list[float]:
        """Log-likelihood of whole texts, in windows that each token is told in once."""
        found = []
        for request in requests:
            windows = get_rolling_token_windows(
                token_list=self.tok_encode(request.args[0]),
                prefix_token=self.eot_token_id,
                max_seq_len=self.served.context - 1,
                context_len=1,
            )
            asked = [(("", ""), *make_disjoint_window(window)) for window in windows]
            found.append(sum(logprob for logprob, _ in self._loglikelihood_tokens(asked)))
        return found

    def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[str]:
        """Texts up to a stop string, the end token or the asked length."""
        waiting = [
            self._prompt(request.args[0], dict(request.args[1]), number)
            for number, request in enumerate(requests)
        ]
        streams = [TextStream(self.served.tokenizer, stops, p.ids) for p, stops in waiting]
        left = list(range(len(waiting)))[::-1]
        owners: dict[int, int] = {}
        while left or self.decoder.rows:
            joining = [left.pop() for _ in range(min(self.decoder.free, len(left)))]
            if joining:
                found = self.decoder.join([waiting[i][0] for i in joining])
                owners.update({id(row): i for (row, _), i in zip(found, joining, strict=True)})
            else:
                found = self.decoder.step()
            for row, tokens in found:
                stream = streams[owners[id(row)]]
                for token in tokens:
                    stream.take(token.id)
                if row.ended is not None:
                    stream.finish()
                elif stream.stopped:
                    self.decoder.drop(row)
        return [stream.text for stream in streams]

    def _loglikelihood_tokens(
        self, requests: Sequence[Asked], disable_tqdm: bool = False, **_: Any
    ) -> list[tuple[float, bool]]:
        texts, asked = [], []
        for _texts, context, continuation in requests:
            if len(continuation) >= self.served.context:
                raise InputError(
                    f"a continuation of {len(continuation)} tokens does not fit into the model's "
                    f"context of {self.served.context} with a token before it"
                )
            texts.append([*context, *continuation][-self.served.context :])
            asked.append(len(continuation))
        scored = score(self.decoder.model, texts, best=1)
        return [_told(tokens[len(tokens) - n :]) for tokens, n in zip(scored, asked, strict=True)]

    def _prompt(self, context: str, asked: dict[str, Any], number: int) -> tuple[Prompt, list[str]]:
        """The harness's rules of what is asked; ``number`` tells repeats of one request apart.

        The prompt stays whole, and the answer gets what the context has left.
        """
        asked = normalize_gen_kwargs(asked, NEW_TOKENS)
        ids = self.tok_encode(context) or [self.eot_token_id]
        left = self.served.context - len(ids)
        if left < 1:
            raise InputError(
                f"a prompt has {len(ids)} tokens and the model's context is "
                f"{self.served.context}: nothing is left for an answer; give fewer examples "
                "(--num_fewshot) or take a model of a longer context"
            )
        drawn = float(asked.get("temperature", 1.0)) if asked["do_sample"] else 0.0
        how = Sampling(
            drawn, int(asked.get("top_k") or 0), float(asked.get("top_p") or 1.0),
            float(asked.get("min_p") or 0.0),
        )  # fmt: skip
        seed = (int(asked.get("seed") or 0), number)
        most = min(asked["max_gen_toks"], left)
        return Prompt(ids, most, self.served.ends, how, seed), [s for s in asked["until"] if s]


def _told(tokens: Sequence[Token]) -> tuple[float, bool]:
    """Their log-probability, and whether each was the most probable."""
    greedy = all(token.logprob == token.best[0][1] for token in tokens)
    return sum(token.logprob for token in tokens), greedy


def main() -> None:
    """The harness's command line."""
    from lm_eval.__main__ import cli_evaluate

    cli_evaluate()


if __name__ == "__main__":
    main()
