"""The policy that writes: a causal language model with a critic."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from core.envs.observations import Observations, bucketed, take
from core.models.devices import autocast, own_generator, split_across_processes
from core.models.distributions import TokenSequence
from core.models.policy import Policy, PolicyOutput, PolicyStep, evaluating
from core.models.weights import resolve
from core.util.errors import SteerError

_NEEDS_TEXTS = (
    "a policy that writes cannot tell the probability of every action: leave demonstrations (or the stages that "
    "imitate them) out, and set rl.algorithm to ppo, a2c, trpo, reinforce, grpo or off_policy"
)


class TextPolicy(Policy):
    """Writes a text token by token behind the tokens of the state; a row's picks are its tokens.

    Reads the observations' column `tokens`. Behind its end a text is filled up with the end token.

    Args:
        model: Causal language model; LoRA and other PEFT models too.
        end: Token that ends a text.
        max_new_tokens: Length of the longest text, in tokens.
        precision: Number format, see `core.models.devices.autocast`.
    """

    def __init__(self, model: Any, end: int, max_new_tokens: int, precision: str = "auto") -> None:
        super().__init__()
        self.model, self.end, self.max_new_tokens, self.precision = model, end, max_new_tokens, precision
        self.critic = nn.Linear(model.config.hidden_size, 1)
        nn.init.zeros_(self.critic.weight)
        nn.init.zeros_(self.critic.bias)

    def forward(self, observations: Observations, actions: Tensor | None = None) -> PolicyOutput:
        """Distribution of each token of `actions` given the state and the tokens before it."""
        if actions is None:
            raise SteerError(_NEEDS_TEXTS)
        prompts, mask = self._left_padded(observations)
        actions = actions.to(self.device)
        written = mask_before_end(actions, self.end)
        output = self._run(torch.cat([prompts, actions], 1), torch.cat([mask, written.long()], 1))
        first, last = prompts.shape[1] - 1, prompts.shape[1] + actions.shape[1] - 1  # a token is predicted one earlier
        values = self.critic(output.hidden_states[-1][:, first:last].detach().float()).squeeze(-1)
        return PolicyOutput(TokenSequence(output.logits[:, first:last], actions, written), values)

    def sample(self, observations: Observations, generator: torch.Generator) -> PolicyStep:
        own = own_generator(generator)  # several processes write different texts

        def compute(states: Observations) -> tuple[Tensor, ...]:
            actions = self._write(states, lambda logits: torch.multinomial(logits.softmax(-1), 1, generator=own))
            output = self(states, actions)
            parts = (actions, output.distribution.log_prob(actions), output.values)
            return tuple(self._filled(part, self.end if part is actions else 0) for part in parts)

        with evaluating(self):
            actions, log_probs, values = split_across_processes(compute, observations)
        mask = mask_before_end(actions, self.end)
        return PolicyStep(actions.cpu(), mask.cpu(), log_probs.cpu(), values.cpu())

    def predict(self, observations: Observations) -> np.ndarray:
        with evaluating(self):
            return self._write(observations, lambda logits: logits.argmax(-1, keepdim=True)).cpu().numpy()

    def value(self, observations: Observations) -> Tensor:
        def compute(states: Observations) -> tuple[Tensor, ...]:
            last_hidden = self._run(*self._left_padded(states)).hidden_states[-1][:, -1]
            return (self.critic(last_hidden.float()).squeeze(-1),)

        with evaluating(self):
            return split_across_processes(compute, observations)[0].cpu()

    def log_prob(self, observations: Observations, actions: Tensor) -> Tensor:
        rows_by_batch = list(bucketed(self.lengths(observations), 4096))
        parts = []
        with evaluating(self):
            for rows in rows_by_batch:
                picked = actions[rows].to(self.device)
                parts.append(self(take(observations, rows), picked).distribution.log_prob(picked).cpu())
        order = torch.tensor([row for rows in rows_by_batch for row in rows])
        return torch.cat(parts)[order.argsort()]

    def log_probs_for_kl(self, observations: Observations, actions: Tensor) -> Tensor:
        if not actions.numel():
            raise SteerError(_NEEDS_TEXTS)
        return self.log_prob(observations, actions)

    def lengths(self, observations: Observations) -> list[int]:
        return [len(tokens) + self.max_new_tokens for tokens in observations["tokens"]]

    def pretrained_parameters(self) -> Iterator[nn.Parameter]:
        return self.model.parameters()

    def actor_parameters(self) -> list[nn.Parameter]:
        return [parameter for parameter in self.model.parameters() if parameter.requires_grad]

    def allow_second_derivatives(self) -> None:
        self.model.set_attn_implementation("eager")
        self.precision = "fp32"

    @property
    def device(self) -> torch.device:
        return self.critic.weight.device

    def export(self, folder: Path) -> None:
        """Write the model or, under PEFT, its adapter."""
        self.model.save_pretrained(folder / "model")

    def _write(self, observations: Observations, pick: Any) -> Tensor:
        tokens, mask = self._left_padded(observations)
        past, written = None, []
        ended = torch.zeros(len(tokens), 1, dtype=torch.bool, device=self.device)
        for _ in range(self.max_new_tokens):
            output = self._run(tokens, mask, past)
            past = output.past_key_values
            tokens = pick(output.logits[:, -1].float()).masked_fill(ended, self.end)
            written.append(tokens)
            mask = torch.cat([mask, (~ended).long()], 1)
            ended = ended | (tokens == self.end)
            if ended.all():
                break
        return torch.cat(written, 1)

    def _filled(self, picks: Tensor, value: float) -> Tensor:
        """Rows of `max_new_tokens` picks, so that all processes hold equally wide ones."""
        return nn.functional.pad(picks, (0, self.max_new_tokens - picks.shape[1]), value=value)

    def _run(self, tokens: Tensor, mask: Tensor, past: Any = None) -> Any:
        positions = (mask.cumsum(-1) - 1).clamp_min(0)[:, -tokens.shape[1] :]
        with autocast(self.device, self.precision):
            return self.model(
                input_ids=tokens,
                attention_mask=mask,
                position_ids=positions,
                past_key_values=past,
                use_cache=not torch.is_grad_enabled(),
                output_hidden_states=True,
            )

    def _left_padded(self, observations: Observations) -> tuple[Tensor, Tensor]:
        prompts = observations["tokens"]
        longest = max(len(prompt) for prompt in prompts)
        tokens = torch.full((len(prompts), longest), self.end)
        mask = torch.zeros_like(tokens)
        for row, prompt in enumerate(prompts):
            tokens[row, longest - len(prompt) :] = torch.as_tensor(prompt)
            mask[row, longest - len(prompt) :] = 1
        return tokens.to(self.device), mask.to(self.device)


def mask_before_end(actions: Tensor, end: int) -> Tensor:
    """Which tokens belong to each text, its end token included; bool of shape (rows, picks)."""
    ended_before = (actions == end).cumsum(-1) - (actions == end).long()
    return ended_before == 0


def load_language_model(name: str, rank: int = 0) -> tuple[Any, PreTrainedTokenizerBase]:
    """A causal language model in float32, with its tokenizer.

    Args:
        name: Name of the weights, as `core.models.weights.resolve` takes it.
        rank: Rank of LoRA adapters on every linear layer (Hu et al. 2021, through PEFT); 0 trains all weights.
    """
    folder = resolve(name)
    packed = next(folder.glob("*.gguf"), None)
    options: dict[str, Any] = {"gguf_file": packed.name} if packed else {}
    tokenizer = AutoTokenizer.from_pretrained(folder, **options)
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, **options)
    if packed:
        model = _unpacked(model)
    if rank:
        model = get_peft_model(model, LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear"))
    return model, tokenizer


def _unpacked(packed: PreTrainedModel) -> PreTrainedModel:
    # A model read from GGUF keeps its quantizer, and then can neither be trained nor saved.
    config = copy.deepcopy(packed.config)
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    model = type(packed)(config)
    model.load_state_dict(packed.state_dict())
    model.generation_config = packed.generation_config
    model.tie_weights()
    return model
