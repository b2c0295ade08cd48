"""A pretrained encoder for Stable-Baselines3's policies (extra `sb3`).

    PPO("MultiInputPolicy", SingleEnv(env, {"text": TextToIds(tokenizer, 48)}),
        policy_kwargs={"features_extractor_class": EncoderFeatures, "ortho_init": False})

`ortho_init=False` matters: the default draws the pretrained encoder's weights anew.
"""

from gymnasium import spaces
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor

from core.models.adapters import adapted
from core.models.conventions import conventions_of, pooled
from core.models.encoder import load_backbone
from core.models.policy import set_dropout
from core.models.settings import Adaptation
from core.models.weights import DEFAULT_ENCODER, resolve


class EncoderFeatures(BaseFeaturesExtractor):
    """Pretrained encoder over a column of token ids, pooled as it was made to be.

    Args:
        space: Space of the observations, with the column as a box of ids.
        column: Name of the column.
        name: Name of the weights, as `core.models.weights.resolve` takes it.
        adapt: Part of it that is trained, see `core.models.adapters.adapted`.
        layers: Number of uppermost layers that `top` trains.
        filling: Id that is no token of the text.
    """

    def __init__(
        self,
        space: spaces.Dict,
        column: str = "text",
        name: str = DEFAULT_ENCODER,
        adapt: Adaptation = "full",
        layers: int = 2,
        filling: int = 0,
    ) -> None:
        backbone = load_backbone(name)
        super().__init__(space, backbone.config.hidden_size)
        set_dropout(backbone, 0.0)  # on in updates and off in rollouts, it would bend the ratio
        self.column, self.filling = column, filling
        self.pooling = conventions_of(resolve(name), backbone.config).pooling
        self.backbone = adapted(backbone, adapt, layers, rank=16)

    def forward(self, observations: dict[str, Tensor]) -> Tensor:
        """Float32 of shape (states, width)."""
        ids = observations[self.column].long()  # Stable-Baselines3 makes every observation a float
        mask = ids != self.filling
        mask[:, 0] = True  # an empty text has a vector too
        hidden = self.backbone(input_ids=ids, attention_mask=mask.long()).last_hidden_state
        return pooled(hidden, mask, self.pooling)
