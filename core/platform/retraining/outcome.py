"""What a candidate earns, beside the version that serves."""

from dataclasses import dataclass

import numpy as np

from core.evaluation.bootstrap import Estimate, bootstrap_mean, paired_gain
from core.evaluation.off_policy import ImportanceWeighted, weighted
from core.models.actor_critic import ActorCritic
from core.platform.store.schema import ModelVersion
from core.rl.off_policy import LoggedDecisions
from core.training.measure import evaluator
from core.training.task import Task, greedy

TEST, PROOF = "test set", "votes of others"


@dataclass(frozen=True)
class Measured:
    """Rewards of a policy.

    Attributes:
        test: Return of each episode of the fixed test set, float64 of shape (episodes,).
        proof: Rewards on the votes that nothing was learnt from.
    """

    test: np.ndarray
    proof: ImportanceWeighted

    def means(self) -> dict[str, Estimate]:
        """Mean reward by the set that it was measured on."""
        return {TEST: bootstrap_mean(self.test), PROOF: self.proof.estimate()}


@dataclass(frozen=True)
class Outcome:
    """Outcome of a retraining.

    Attributes:
        version: Candidate as a version; None where no iteration was better than the running version.
        candidate: Rewards of the candidate.
        running: Rewards of the version that serves.
    """

    version: ModelVersion | None
    candidate: Measured
    running: Measured

    def gains(self) -> dict[str, Estimate]:
        """How much more the candidate earns on the same episodes and decisions."""
        proof = self.candidate.proof.gain(self.running.proof)
        return {TEST: paired_gain(self.candidate.test, self.running.test), PROOF: proof}


def measure(task: Task, policy: ActorCritic, proof: LoggedDecisions) -> Measured:
    """Play the test set, and look at the votes that nothing was learnt from."""
    played = evaluator(task, "test")(greedy(policy))
    return Measured(played.returns, weighted(policy, proof))
