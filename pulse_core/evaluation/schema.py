"""Contents of `hr1.json`: `assemble` builds these models, so every file that exists is valid."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Verdict = Literal["better", "worse", "not distinguishable"]


class Result(BaseModel):
    """Base of every part: unknown keys are refused, values are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Estimate(Result):
    """A mean over users with its percentile bootstrap interval; of chance, which is exact, the ends are the value."""

    value: Share
    low: Share
    high: Share


class SystemResult(Result):
    """Metrics of one system on the evaluated users."""

    users: int = Field(ge=1)
    hr1: Estimate
    mrr: Estimate
    ndcg10: Estimate
    oracle: bool = False
    """The system read rationales whose selection saw the target (`behaviour: oracle`): not comparable with others."""


class Difference(Result):
    """A paired difference of means over users (hits, MRR, NDCG@10, a share), with its percentile bootstrap interval."""

    difference: FiniteFloat
    low: FiniteFloat
    high: FiniteFloat
    p_value: Share
    test: Literal["McNemar exact", "exact binomial", "paired bootstrap"]
    """What the p-value is from: an exact test of hits (binomial against chance), the bootstrap of other means."""
    verdict: Verdict
    """From the unadjusted p-value at the protocol's confidence."""


class HitComparison(Difference):
    """HR@1 of PULSE minus that of one system: McNemar's exact test, or an exact binomial test against chance."""

    pulse_only: int | None = None
    """Users on whom only PULSE hit; null against chance, which has no users."""
    other_only: int | None = None
    p_holm: Share
    """The p-value adjusted for the number of comparisons in this file (Holm)."""


class OracleGap(Difference):
    """HR@1 with selection by the oracle minus HR@1 with selection by history: one comparison, so none to adjust."""

    oracle_only: int
    """Users on whom the ranker hit only with the oracle's rationale."""
    history_only: int


class Comparison(Result):
    """PULSE minus one system on the same users and candidates; `sentence` states the HR@1 verdict."""

    sentence: str
    hr1: HitComparison
    mrr: Difference
    ndcg10: Difference


class Protocol(Result):
    """How every system was measured."""

    split: str
    """leave_one_out or global_time."""
    candidate_strategy: str
    candidate_count: int = Field(ge=2)
    ties: str = "ties in scores count against the model (worst rank of the tied group)"
    behaviour: Literal["history", "oracle"]
    """What selection saw: the history alone or, with oracle, the target as well."""
    oracle: bool
    """Selection saw the target: never report these figures as results."""
    engine: str
    """What wrote the rationales; `fake` is not a model."""
    users: str = "the sampled users of the split; every system ranks the same users and candidate sets"
    interval: str
    confidence: Share
    bootstrap_samples: int


class StageTime(Result):
    """Cost of one stage, summed over its jobs, from Snakemake's benchmark files; null where there are none."""

    seconds: float | None
    jobs: int
    max_rss_mb: float | None = None


class WhyRecall(Result):
    """Share of rationales that name the planted driver of the target purchase (synthetic corpora only)."""

    examples: int = Field(ge=1)
    without_driver: int
    """Test purchases without a planted driver; they are left out."""
    selected: Estimate
    random_leaf: Estimate
    """The expected share for a random leaf of the same tree (the mean over its leaves)."""
    base: Estimate
    best_leaf: Estimate
    """Share of trees in which any leaf names it: the upper bound of selection."""
    selected_other_driver: Estimate
    """How often it names the driver of another test purchase (mean over all): what naming common drivers gives."""
    selected_less_random_leaf: Difference
    selected_less_base: Difference


class LeakAudit(Result):
    """What selection that sees the target, the literal Eq. (2), would gain over selection by history alone."""

    examples: int = Field(ge=1)
    changed_selections: Share
    """Share of test examples for which the oracle selects another leaf."""
    hr1_history: Estimate
    hr1_oracle: Estimate
    gap: OracleGap


class Hr1(Result):
    """The whole of results/<domain>/hr1.json.

    PULSE and SLM + SFT are the rankers as configured here; the overall table has the best of their tuning trials.
    """

    schema_version: Literal[2] = 2
    domain: str
    corpus: str
    """`synthetic`, or the source of the raw files. Synthetic figures say nothing about Amazon's customers."""
    notice: str | None
    """Warnings to read before quoting a figure; null where there are none."""
    corpus_hash: str
    corpus_statistics: dict[str, Any]
    hr1: Estimate
    """HR@1 of PULSE on the test users: the headline."""
    systems: dict[str, SystemResult]
    """System -> test metrics; names as in pulse_core/systems.py, and chance."""
    comparisons: dict[str, Comparison]
    """System -> paired tests of PULSE against it, on the test users."""
    validation: dict[str, SystemResult]
    sasrec_all_users: SystemResult
    """SASRec on every test user, sampled or not."""
    protocol: Protocol
    models: dict[str, str]
    settings: dict[str, dict[str, Any]]
    """Configuration sections that the figures depend on."""
    prompts: dict[str, str]
    """SHA-256 of each prompt template."""
    seeds: dict[str, int]
    versions: dict[str, str]
    stages: dict[str, StageTime]
    total_seconds: float
    """Sum of the stages' wall times; more than the elapsed time where stages ran in parallel."""
    why_recall: WhyRecall | None = None
    leak_audit: LeakAudit | None = None
    """Null with `behaviour: oracle`."""
    neighbour_leak: dict[str, Any] | None = None
    """How often neighbours' items contain the target, in training and in test examples."""


def hr1_schema() -> dict[str, Any]:
    """The JSON Schema of hr1.json."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Hr1.model_json_schema()}
