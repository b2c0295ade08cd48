"""Our environments keep Gymnasium's and Stable-Baselines3's rules, and their algorithms train on them."""

import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.utils.env_checker import check_env
from gymnasium.wrappers import TimeLimit
from transformers import AutoTokenizer

from core.envs.dialogue import DialogueEnv, Reply
from core.envs.gymnasium_env import GymnasiumEnv
from core.envs.single import LastTokens, SingleEnv, TextToIds
from core.envs.slate import SlateEnv
from core.envs.stopping import StoppingEnv, quickest_detection
from core.envs.text_choice import TextChoiceEnv, with_abstain
from core.envs.token_text import TokenTextEnv
from core.models.weights import DEFAULT_ENCODER, resolve
from core.util.errors import SteerError

TEXTS = [
    "the soup needs salt",
    "she won the marathon",
    "rain is expected tonight",
    "a penalty",
    "snow",
    "boil two eggs",
]
LABELS = [0, 1, 2, 1, 2, 0]


def choice(num_envs: int = 1) -> TextChoiceEnv:
    rewards = np.where(np.arange(3) == np.array(LABELS)[:, None], 1, -1).astype(np.float32)
    return TextChoiceEnv(TEXTS, with_abstain(rewards), num_envs, shuffle=True)


def one_action(num_envs: int = 1) -> TextChoiceEnv:
    return TextChoiceEnv(TEXTS, np.ones((6, 1), dtype=np.float32), num_envs, shuffle=True)


def dialogue(num_envs: int = 1) -> DialogueEnv:
    def respond(row, taken):
        if taken[-1] == 0:  # asked back
            return Reply(f"about {TEXTS[row]}", -0.1)
        return Reply(None, 1.0 if taken[-1] - 1 == LABELS[row] else -1.0, "answered")

    utterances = ["What do you mean?", "Cooking.", "Sports.", "Weather."]
    return DialogueEnv(["hello"] * 6, utterances, respond, max_turns=3, num_envs=num_envs, shuffle=True)


def token_text(num_envs: int = 1) -> TokenTextEnv:
    def reward(rows, texts):
        return np.array([np.mean(text == 5) for text in texts], dtype=np.float32)

    prompts = [np.array([3]), np.array([4, 6])]
    return TokenTextEnv(prompts, vocabulary=8, end=0, max_new_tokens=3, reward=reward, num_envs=num_envs, shuffle=True)


def slate(num_envs: int = 1) -> SlateEnv:
    states = {"features": np.eye(4, dtype=np.float32)}
    space = spaces.Dict({"features": spaces.Box(0, 1, (4,), np.float32)})

    def judge(rows, picks):
        return (picks == rows[:, None]).astype(np.float32)

    return SlateEnv(states, space, options=4, picks=2, reward_fn=judge, num_envs=num_envs, shuffle=True)


def stream(num_envs: int = 1) -> StoppingEnv:
    generator = np.random.default_rng(0)
    streams = [generator.normal(size=(8, 2)).astype(np.float32) for _ in range(4)]
    rewards = [quickest_detection(8, change, delay_cost=0.1, false_alarm_cost=1.0) for change in (3, None, 5, None)]
    return StoppingEnv(streams, [act for act, _ in rewards], [wait for _, wait in rewards], num_envs, shuffle=True)


@pytest.fixture(scope="module")
def tokenizer():
    return AutoTokenizer.from_pretrained(resolve(DEFAULT_ENCODER))


@pytest.fixture(scope="module")
def singles(tokenizer):
    """Each environment as a single one; token ids are divided to a small window."""
    return {
        "choice": lambda: SingleEnv(choice(), {"text": TextToIds(tokenizer, 12)}),
        "dialogue": lambda: SingleEnv(dialogue(), {"text": TextToIds(tokenizer, 24)}),
        "token_text": lambda: SingleEnv(token_text(), {"tokens": LastTokens(8, 6)}),
        "slate": lambda: SingleEnv(slate()),
        "stream": lambda: SingleEnv(stream()),
        "cart_pole": lambda: SingleEnv(GymnasiumEnv("CartPole-v1", 1)),
        "frozen_lake": lambda: SingleEnv(GymnasiumEnv("FrozenLake-v1", 1)),
        "one_action": lambda: SingleEnv(one_action(), {"text": TextToIds(tokenizer, 12)}),
    }


NAMES = ["choice", "dialogue", "token_text", "slate", "stream", "cart_pole", "frozen_lake", "one_action"]


@pytest.mark.parametrize("name", NAMES)
def test_gymnasiums_checker_passes(singles, name):
    check_env(singles[name](), skip_render_check=True)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("ignore:.*dtype.*:UserWarning", "ignore:.*image.*:UserWarning")
def test_stable_baselines3s_checker_passes(singles, name):
    checker = pytest.importorskip("stable_baselines3.common.env_checker")
    checker.check_env(singles[name]())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("algorithm", ["PPO", "A2C", "TRPO"])
def test_stable_baselines3_trains_on_it(singles, name, algorithm):
    source = "sb3_contrib" if algorithm == "TRPO" else "stable_baselines3"
    kind = getattr(pytest.importorskip(source), algorithm)
    options = {} if algorithm == "A2C" else {"batch_size": 16}
    model = kind("MultiInputPolicy", singles[name](), n_steps=16, device="cpu", seed=0, **options)
    before = [parameter.detach().clone() for parameter in model.policy.parameters()]
    model.learn(32)
    assert any((old != new).any() for old, new in zip(before, model.policy.parameters(), strict=True))


def test_stable_baselines3_trains_the_pretrained_encoder(tokenizer):
    sb3 = pytest.importorskip("stable_baselines3")
    from core.models.sb3 import EncoderFeatures

    extractor = {
        "features_extractor_class": EncoderFeatures,
        "features_extractor_kwargs": {"adapt": "top", "layers": 1},
    }
    env = SingleEnv(choice(), {"text": TextToIds(tokenizer, 12)})
    model = sb3.PPO(
        "MultiInputPolicy", env, n_steps=64, batch_size=32, n_epochs=4, gamma=0, gae_lambda=1, learning_rate=1e-3,
        device="cpu", seed=0, policy_kwargs={**extractor, "ortho_init": False},
    )  # fmt: skip
    model.learn(1024)
    env = choice(6)
    env.shuffle = False
    states, _ = env.reset(seed=0)
    ids = {"text": np.stack([TextToIds(tokenizer, 12)(text) for text in states["text"]])}
    _, rewards, _, _, _ = env.step(model.predict(ids, deterministic=True)[0][:, None])
    assert rewards.mean() > 0.3  # abstaining always gives 0


def test_abstaining_is_paid_as_said():
    assert with_abstain(np.ones((2, 3), dtype=np.float32), -0.25)[:, 3].tolist() == [-0.25, -0.25]


def test_a_conversation_ends_with_an_answer_or_with_its_last_turn():
    env = dialogue(2)
    env.reset(seed=0)
    for turn in range(3):
        states, _, ended, _, infos = env.step(np.array([[0], [1]]))
        assert ended.tolist() == [turn == 2, True]
    assert infos["outcome"] == ["", "answered"]
    assert states["text"][1] == "hello"  # the next conversation
    env.reset(seed=0)
    states, *_ = env.step(np.array([[0], [0]]))
    assert states["text"][0].startswith("hello\nWhat do you mean?\nabout ")


def test_repeated_rows_stand_side_by_side():
    env = choice(6)
    _, infos = env.reset(seed=3, options={"repeat": 3})
    assert len(set(infos["episode"][:3])) == 1
    assert len(set(infos["episode"][3:])) == 1


@pytest.mark.parametrize("action", [-1, 4, 99])
def test_an_action_outside_the_space_is_refused(action):
    env = choice(1)
    env.reset(seed=0)
    with pytest.raises(SteerError, match=r"outside the action space 0\.\.3"):
        env.step(np.array([[action]]))


def test_an_empty_prompt_is_named():
    with pytest.raises(SteerError, match="prompt 1 is empty"):
        TokenTextEnv(
            [np.array([1]), np.array([])], vocabulary=4, end=0, max_new_tokens=2,
            reward=lambda rows, texts: np.zeros(len(rows)), num_envs=1, shuffle=False,
        )  # fmt: skip


def test_a_stream_with_too_few_rewards_is_named():
    with pytest.raises(SteerError, match="stream 0 has 3 steps"):
        StoppingEnv([np.zeros((3, 1))], [np.zeros(2)], [np.zeros(3)], 1, shuffle=False)


def test_several_environments_are_no_single_one():
    with pytest.raises(SteerError, match="num_envs=1"):
        SingleEnv(stream(2))


def test_a_stream_begins_at_its_first_step_after_a_reset_in_mid_episode():
    streams = [np.arange(8, dtype=np.float32)[:, None] + 10 * row for row in range(3)]
    nothing = [np.zeros(8)] * 3
    env = SingleEnv(StoppingEnv(streams, nothing, nothing, 1, shuffle=False))
    env.reset(seed=0)
    for _ in range(4):
        env.step(0)
    assert env.reset()[0]["features"].tolist() == [10]
    assert env.reset()[0]["features"].tolist() == [10]  # no step was made in it


def test_a_column_without_a_box_is_named():
    with pytest.raises(SteerError, match="column 'text' is no box"):
        SingleEnv(choice())


def numbered(length: int = 8) -> SingleEnv:
    """Streams that show the number of the step, and ten times that of the stream."""
    streams = [np.arange(length, dtype=np.float32)[:, None] + 10 * row for row in range(3)]
    nothing = [np.zeros(length)] * 3
    return SingleEnv(StoppingEnv(streams, nothing, nothing, 1, shuffle=False))


def test_a_time_limit_begins_each_episode_at_its_first_step():
    env = TimeLimit(numbered(), 4)
    seen = []
    for episode in range(4):
        states, _ = env.reset(seed=0 if episode == 0 else None)
        seen.append([states["features"][0]])
        while True:
            states, _, terminated, truncated, _ = env.step(0)
            seen[-1].append(states["features"][0])
            if terminated or truncated:
                break
        assert (terminated, truncated) == (False, True)
    assert seen == [[10.0 * row + step for step in range(5)] for row in (0, 1, 2, 0)]


def test_a_limit_that_ends_with_the_stream_leaves_no_episode_out():
    env = TimeLimit(numbered(length=4), 4)
    firsts = []
    for episode in range(3):
        firsts.append(env.reset(seed=0 if episode == 0 else None)[0]["features"][0])
        for _ in range(4):
            _, _, terminated, truncated, _ = env.step(0)
        assert (terminated, truncated) == (True, True)
    assert firsts == [0, 10, 20]


def test_a_seed_in_mid_episode_begins_the_same_pass_again():
    env = SingleEnv(stream())
    first = env.reset(seed=5)[0]["features"].tolist()
    env.step(0)
    assert env.reset(seed=5)[0]["features"].tolist() == first


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DialogueEnv(["hi"], ["a"], None, max_turns=0, num_envs=1, shuffle=False), "0 turns never ends"),
        (
            lambda: TokenTextEnv(
                [np.array([1])], vocabulary=4, end=0, max_new_tokens=0, reward=None, num_envs=1, shuffle=False
            ),
            "0 tokens never ends",
        ),
        (
            lambda: SlateEnv(
                {"features": np.eye(2)}, spaces.Dict(), options=2, picks=0, reward_fn=None, num_envs=1, shuffle=False
            ),
            "a list of 0 different picks",
        ),
        (lambda: TextChoiceEnv(["a", "b"], np.zeros((3, 2)), 1, shuffle=False), "2 texts, and rewards for 3"),
        (lambda: TextChoiceEnv([], np.zeros((0, 2)), 1, shuffle=False), "its data set is empty"),
        (lambda: GymnasiumEnv("Pendulum-v1", 1), "take an environment of numbers and Discrete actions"),
        (lambda: GymnasiumEnv("Nonsense-v7", 1), "Gymnasium cannot make Nonsense-v7"),
    ],
)
def test_an_environment_that_cannot_run_says_why(make, message):
    with pytest.raises(SteerError, match=message):
        make()
