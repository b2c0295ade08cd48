"""GRPO's and REINFORCE's loss against TRL's trainers, on the same small language model and the same tensors."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from trl import GRPOConfig, GRPOTrainer, RLOOConfig, RLOOTrainer

from core.models.language import TextPolicy, mask_before_end
from core.rl.grpo import GRPO, GRPOSettings
from core.rl.reinforce import Reinforce, ReinforceSettings
from core.rl.rollout import Rollout, group_relative, leave_one_out
from testing.gradients import NO_ENV

VOCABULARY, END, TOKENS, ROWS, KL = 64, 1, 12, 8, 0.03


def loss_differences() -> dict[str, float]:
    """Absolute difference between our loss and TRL's, by algorithm."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = _save_small_model(Path(scratch))
        return {"grpo": _difference(folder, "grpo"), "rloo": _difference(folder, "rloo")}


def _difference(folder: Path, name: str) -> float:
    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32)
    policy = TextPolicy(model, END, TOKENS, "fp32").eval()
    prompts, rollout = _rollout(policy, name)
    algorithm: GRPO | Reinforce = GRPO(NO_ENV, GRPOSettings(ent_coef=0, kl_coef=KL, clip_range=0.2))
    if name == "rloo":  # TRL's puts the KL into the reward, so it is no part of that loss
        algorithm = Reinforce(NO_ENV, ReinforceSettings(ent_coef=0, kl_coef=0, clip_range=0.2))
        rollout.reference = None
    ours, _ = algorithm.loss(policy, rollout)
    trainer = _trainer(name, folder)
    trainer.model.eval()
    theirs = trainer._compute_loss(trainer.model, _as_trl(prompts, rollout, name))
    return abs(ours.item() - theirs.item())


def _rollout(policy: TextPolicy, name: str) -> tuple[list[np.ndarray], Rollout]:
    generator = torch.Generator().manual_seed(5)
    prompts = [np.arange(2, 5 + row % 3) for row in range(ROWS)]
    actions = torch.randint(2, VOCABULARY, (ROWS, TOKENS), generator=generator)
    for row in range(ROWS):
        actions[row, 4 + row :] = END
    mask = mask_before_end(actions, END)
    observations = {"tokens": tuple(prompts)}
    now = policy(observations, actions).distribution.log_prob(actions).detach()

    def near(spread: float) -> Tensor:
        return now + spread * torch.randn(now.shape, generator=generator)

    returns = torch.randn(ROWS, generator=generator)
    advantages = (group_relative if name == "grpo" else leave_one_out)(returns, 4)[:, None].expand(-1, TOKENS)
    zeros = torch.zeros_like(now)
    rollout = Rollout(
        observations=observations,
        actions=actions,
        mask=mask,
        log_probs=near(0.2),
        values=zeros,
        rewards=zeros,
        dones=torch.ones(ROWS, dtype=torch.bool),
        final_values=torch.zeros(ROWS),
        last_values=torch.zeros(ROWS),
        episode_returns=np.zeros(0),
        advantages=advantages,
        returns=zeros,
        reference=near(0.3),
    )
    return prompts, rollout


def _as_trl(prompts: list[np.ndarray], rollout: Rollout, name: str) -> dict[str, Any]:
    longest = max(map(len, prompts))
    ids = torch.full((ROWS, longest), END)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, longest - len(prompt) :] = torch.as_tensor(prompt)
        mask[row, longest - len(prompt) :] = 1
    made = rollout.mask.long()
    inputs = {
        "prompt_ids": ids,
        "prompt_mask": mask,
        "completion_ids": rollout.actions,
        "completion_mask": made,
        "advantages": rollout.advantages[:, 0],
    }
    if name == "rloo":
        return inputs | {"old_logps": (rollout.log_probs * made).sum(1)}
    return inputs | {"old_per_token_logps": rollout.log_probs, "ref_per_token_logps": rollout.reference}


def _trainer(name: str, folder: Path) -> Any:
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    data = Dataset.from_dict({"prompt": ["w2 w3 w4"] * 8})
    options: dict[str, Any] = {
        "output_dir": str(folder / "out"),
        "use_cpu": True,
        "bf16": False,
        "report_to": [],
        "num_generations": 4,
        "per_device_train_batch_size": 4,
        "max_completion_length": TOKENS,
        "gradient_checkpointing": False,
        "temperature": 1.0,
    }
    if name == "grpo":
        # The paper's KL term; weighting it by the ratio is an addition of TRL's.
        arguments = GRPOConfig(**options, beta=KL, loss_type="grpo", use_bias_correction_kl=False)
        return GRPOTrainer(str(folder), _no_reward, args=arguments, train_dataset=data, processing_class=tokenizer)
    arguments = RLOOConfig(**options, beta=0.0)
    return RLOOTrainer(str(folder), _no_reward, args=arguments, train_dataset=data, processing_class=tokenizer)


def _no_reward(completions: list[str], **_: Any) -> list[float]:
    return [0.0] * len(completions)  # the trainers want one, though nothing is trained here


def _save_small_model(folder: Path) -> Path:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        eos_token_id=END,
        pad_token_id=END,
        bos_token_id=0,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    words = Tokenizer(models.WordLevel({f"w{n}": n for n in range(VOCABULARY)}, unk_token="w0"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=words, eos_token="w1", pad_token="w1", unk_token="w0").save_pretrained(
        folder
    )
    return folder
