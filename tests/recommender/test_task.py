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
from core.rl.all_pick import AllPick
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


def test_the_untrained_policy_makes_exactly_the_lists_of_the_best_known_rule(task):
    states = task.environment("validation").states
    np.testing.assert_array_equal(task.policy().eval().predict(states), task.rules()["ease_mmr"](states))


def test_the_trade_off_that_validation_chose_earns_more_there_than_none(task):
    env = task.environment("validation")
    varied, plain = (play(env, task.rules()[name]).returns.mean() for name in ("ease_mmr", "ease"))
    assert task.rule.trade_off > 0
    assert varied > plain + 0.005


def test_what_options_earn_at_each_pick_is_what_the_environment_pays_for_them(task):
    env, (_, option_rewards) = task.environment("train"), task.option_rewards()
    lists = np.random.default_rng(0).permuted(np.tile(np.arange(CANDIDATES), (30, 1)), axis=1)[:, :PICKS]
    earned = np.take_along_axis(option_rewards(np.arange(30), lists), lists[:, :, None], axis=2)[:, :, 0]
    np.testing.assert_allclose(earned, env.reward_fn(np.arange(30), lists), atol=1e-6)


def test_scores_of_training_windows_do_not_know_what_the_user_went_on_to_like(task, small):
    """With the user's own later likes in the counts, what they like next would stand out by far."""
    right = task.demonstrations("train")
    best = np.argsort(-np.asarray(right.observations["features"])[:, :, 0], axis=1)[:, :PICKS]
    hits = (np.take_along_axis(right.targets, best, axis=1) > 0).any(axis=1).mean()
    assert hits < 0.6  # of the windows whose candidates hold a right film; it is nearly all of them with a leak


def test_rl_teaches_the_policy_to_vary_its_lists_when_variety_alone_pays(small, builder, task):
    variety_alone = ["rewards.relevance=0", "rewards.diversity=1", "rewards.novelty=0"]
    varied = Recommender(load_settings(Recommender.presets["quick"], overrides=variety_alone))
    varied.data, varied.retriever, varied.builder, varied.rule = small, task.retriever, builder, task.rule
    torch.manual_seed(0)
    policy, algorithm = varied.policy(), AllPick(*varied.option_rewards(), varied.settings.rl)
    before = play(varied.environment("validation"), greedy(policy.eval())).returns.mean()
    optimizer = torch.optim.AdamW(policy.actor_parameters(), lr=0.02)

    def step(batch):
        loss, metrics = algorithm.loss(policy, batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return metrics

    list(algorithm.updates(policy, 0, step))
    after = play(varied.environment("validation"), greedy(policy.eval())).returns.mean()
    assert after > before + 0.01


def test_rl_learns_how_lists_are_made_and_keeps_the_relevance_that_supervision_learnt(task):
    stage = task.stages()[-1]
    torch.manual_seed(0)
    policy = stage.begin(task, task.policy())
    algorithm, before = (
        stage.algorithm(task, policy),
        {name: each.detach().clone() for name, each in policy.named_parameters()},
    )
    optimizer = torch.optim.AdamW([each for each in policy.parameters() if each.requires_grad], lr=0.01)
    loss, _ = algorithm.loss(policy, next(algorithm.states.minibatches(policy, 64, 0)))
    loss.backward()
    optimizer.step()
    changed = {
        name.rpartition(".")[0] for name, each in policy.named_parameters() if not torch.equal(each, before[name])
    }
    assert not any(name.startswith("head.correction") for name in changed)
    assert any(name.startswith("head.course") for name in changed)
    kept = stage.end(task, policy, lambda name: policy).state()
    assert any(name.startswith("head.correction") for name in kept)


@pytest.mark.parametrize("name", ["popularity", "item_to_item", "ease"])
def test_rules_beat_chance(task, name):
    env = task.environment("validation")
    chance = np.random.default_rng(0)
    played = play(env, task.rules()[name])
    lucky = play(env, lambda states: np.stack([chance.permutation(CANDIDATES)[:PICKS] for _ in range(env.num_envs)]))
    assert played.outcomes.count("hit") > lucky.outcomes.count("hit")
