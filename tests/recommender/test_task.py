import numpy as np
import pytest
import torch

from apps.recommender.candidates import CANDIDATES
from apps.recommender.retriever import new_encoder
from apps.recommender.retriever_cache import open_retriever
from apps.recommender.splits import PICKS, history_cuts
from apps.recommender.task import Recommender
from core.envs.observations import take
from core.envs.play import play
from core.rl.ppo import PPO
from core.training.settings import load_settings
from core.training.task import greedy


def hits_among(rows, relevant) -> float:
    return float(np.mean([np.isin(right, row).mean() for row, right in zip(rows, relevant, strict=True)]))


def test_the_retriever_learns_to_find_what_users_like_next(small, builder, retriever_settings):
    users = history_cuts(small, "test")
    histories, seen = [user.liked for user in users], [user.seen for user in users]
    relevant = [user.relevant for user in users]
    torch.manual_seed(0)
    untrained = type(builder.retriever)(
        builder.retriever.texts, new_encoder(builder.retriever.texts, retriever_settings)
    )
    found = hits_among(builder.retriever.nearest(builder.retriever.queries(histories), seen, 50), relevant)
    assert found > 1.5 * hits_among(untrained.nearest(untrained.queries(histories), seen, 50), relevant)
    assert found > 2 * 50 / len(small.items)


def test_a_trained_retriever_is_read_back_and_not_trained_again(small, builder, cache, retriever_settings):
    said: list[str] = []
    again = open_retriever(small, retriever_settings, said.append, cache)
    assert said == []
    np.testing.assert_allclose(again.vectors, builder.retriever.vectors, atol=1e-6)


def test_a_damaged_retriever_is_trained_again(small, cache, retriever_settings):
    from dataclasses import replace

    quick = replace(retriever_settings, epochs=1)
    open_retriever(small, quick, print, cache)
    file = max(cache.glob("*/retriever.safetensors"), key=lambda path: path.stat().st_mtime)
    file.write_bytes(file.read_bytes()[:1000])
    said: list[str] = []
    open_retriever(small, quick, said.append, cache)
    assert any("training" in text for text in said)


def test_candidates_are_different_films_that_the_user_has_not_seen(task, small):
    users = history_cuts(small, "test")
    candidates = task.environment("test").states["candidates"]
    assert candidates.shape == (len(users), CANDIDATES)
    for row, user in zip(candidates, users, strict=True):
        assert len(set(row.tolist())) == CANDIDATES
        assert not np.isin(row, user.seen).any()


def test_demonstrations_are_the_films_liked_next(task, small):
    shown = task.demonstrations("train")
    np.testing.assert_allclose(shown.targets.sum(axis=1), 1.0, atol=1e-5)
    whole = task.demonstrations("validation")
    for row, user in zip(range(20), history_cuts(small, "validation"), strict=False):
        right = whole.observations["candidates"][row][whole.targets[row] > 0]
        assert np.isin(right, user.relevant).all()


def test_a_list_that_holds_a_relevant_film_is_a_hit(task):
    whole = task.demonstrations("validation")
    env = task.environment("validation")
    lists = np.argsort(-whole.targets, axis=1, kind="stable")[:, :PICKS]
    played = play(env, lambda states: lists)
    known = whole.targets.any(axis=1)
    assert [outcome == "hit" for outcome in played.outcomes] == known.tolist()
    assert played.returns[known].mean() > played.returns[~known].mean() + 0.1


def test_states_lie_in_the_observation_space(task):
    env = task.environment("validation", 2)
    states, _ = env.reset(seed=0)
    first = {name: column[0] for name, column in states.items()}
    first["history"] = tuple(first["history"])  # Gymnasium's sequences are tuples
    assert env.single_observation_space.contains(first)


def test_every_baseline_gives_lists_of_ten_different_candidates(task):
    env = task.environment("validation")
    policy = task.policy().eval()
    few = take(env.states, np.arange(8))
    for act in (*task.rules().values(), greedy(policy), task.cost_optimal(policy)):
        lists = act(few)
        assert lists.shape == (8, PICKS)
        assert all(len(set(row)) == PICKS for row in lists.tolist())


def test_the_diverse_rule_earns_more_than_the_policy_that_it_starts_from(task):
    env, policy = task.environment("validation"), task.policy().eval()
    varied = play(env, task.cost_optimal(policy)).returns.mean()
    assert varied > play(env, greedy(policy)).returns.mean()


def test_frozen_policies_train_the_head_alone(task):
    frozen = task.policy(frozen=True)
    assert not any(name.startswith("encoder") for name in frozen.state())
    assert any(name.startswith("encoder") for name in task.policy().state())


def test_ppo_teaches_the_policy_to_vary_its_lists_when_variety_alone_pays(small, builder):
    variety_alone = ["rewards.relevance=0", "rewards.diversity=1", "rewards.novelty=0"]
    task = Recommender(load_settings(Recommender.presets["quick"], overrides=variety_alone))
    task.data, task.builder = small, builder
    torch.manual_seed(0)
    policy, env = task.policy(), task.environment("train", 128, shuffle=True)
    before = play(task.environment("validation"), greedy(policy.eval())).returns.mean()
    settings = task.settings.rl.model_copy(update={"n_epochs": 2, "batch_size": 128, "n_steps": 2})
    algorithm = PPO(env, settings)
    optimizer = torch.optim.AdamW(list(policy.head.from_features.parameters()), lr=0.02)

    def step(batch):
        loss, metrics = algorithm.loss(policy, batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return metrics

    for iteration in range(8):
        list(algorithm.updates(policy, iteration, step))
    after = play(task.environment("validation"), greedy(policy.eval())).returns.mean()
    assert after > before + 0.01


@pytest.mark.parametrize("name", ["popularity", "item_to_item"])
def test_rules_beat_chance(task, name):
    env = task.environment("validation")
    chance = np.random.default_rng(0)
    played = play(env, task.rules()[name])
    lucky = play(env, lambda states: np.stack([chance.permutation(CANDIDATES)[:PICKS] for _ in range(env.num_envs)]))
    assert played.outcomes.count("hit") > lucky.outcomes.count("hit")
