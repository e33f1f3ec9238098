"""What `hr1.json` holds. `assemble` builds these models, so a file that exists is valid; the schema is exported."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Verdict = Literal["better", "worse", "not distinguishable"]


class Result(BaseModel):
    """The base of every part of a result: unknown keys refused, values fixed."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Estimate(Result):
    """A mean over users with its percentile bootstrap interval; for chance, which is exact, the ends are the value."""

    value: Share
    low: Share
    high: Share


class SystemResult(Result):
    """One system's figures on the evaluated users."""

    users: int = Field(ge=1)
    hr1: Estimate
    mrr: Estimate
    ndcg10: Estimate
    oracle: bool = False
    """True where the system was shown the answer at selection (`behaviour: oracle`): not comparable with the rest."""


class HitComparison(Result):
    """PULSE against one system on HR@1: McNemar's exact test, or an exact binomial test against chance."""

    difference: FiniteFloat
    """HR@1 of PULSE less that of the other system."""
    low: FiniteFloat
    high: FiniteFloat
    pulse_only: int | None = None
    """Users on whom only PULSE hit; null against chance, which has no users."""
    other_only: int | None = None
    """Users on whom only the other system hit; null against chance."""
    p_value: Share
    p_holm: Share
    """The p-value adjusted for the number of comparisons in this file (Holm)."""
    test: Literal["McNemar exact", "exact binomial"]
    verdict: Verdict
    """From the unadjusted p-value at the protocol's confidence."""


class MeanComparison(Result):
    """PULSE against one system on a mean (MRR, NDCG@10, a share): paired bootstrap over users."""

    difference: FiniteFloat
    low: FiniteFloat
    high: FiniteFloat
    p_value: Share
    test: Literal["paired bootstrap"] = "paired bootstrap"
    verdict: Verdict


class Comparison(Result):
    """PULSE against one system on the same users and candidates; the sentence says the HR@1 verdict in words."""

    sentence: str
    hr1: HitComparison
    mrr: MeanComparison
    ndcg10: MeanComparison


class Protocol(Result):
    """What was asked of every system."""

    split: str
    """leave_one_out or global_time."""
    candidate_strategy: str
    candidate_count: int = Field(ge=2)
    ties: str = "ties in scores count against the model (worst rank of the tied group)"
    behaviour: Literal["history", "oracle"]
    """What selection knew of the user: the history alone, or (oracle) the target as well."""
    oracle: bool
    """True: selection saw the answer. No such figure may stand in a headline."""
    engine: str
    """What wrote the rationales; `fake` is no model."""
    users: str = "the sampled users of the split; every system ranks the same users and candidate sets"
    interval: str
    confidence: Share
    bootstrap_samples: int


class StageTime(Result):
    """Cost of one stage, summed over its jobs, from Snakemake's benchmark files; null where none was found."""

    seconds: float | None
    jobs: int
    max_rss_mb: float | None = None


class WhyRecall(Result):
    """Share of rationales that name the planted driver of the target purchase (synthetic corpora only)."""

    examples: int = Field(ge=1)
    without_driver: int
    """Test purchases whose truth names no driver; they are left out."""
    selected: Estimate
    random_leaf: Estimate
    """The expected share for a leaf drawn at random from the same tree (the mean over its leaves)."""
    base: Estimate
    best_leaf: Estimate
    """Share of trees in which any leaf names it: what no selection can pass."""
    selected_other_driver: Estimate
    """How often the selected rationale names the driver of another test purchase (expected over all of them): the
    level that a rationale reaches by naming common drivers, whoever the user is."""
    selected_less_random_leaf: MeanComparison
    selected_less_base: MeanComparison


class LeakAudit(Result):
    """What the literal Eq. (2), selection that sees the target, would have gained over selection by history alone."""

    examples: int = Field(ge=1)
    changed_selections: Share
    """Share of test examples for which the oracle picks another leaf."""
    hr1_history: Estimate
    hr1_oracle: Estimate
    gap: HitComparison
    """Oracle less history (`pulse_only` counts users on whom only the oracle hit)."""


class Hr1(Result):
    """The whole of results/<domain>/hr1.json."""

    schema_version: Literal[1] = 1
    domain: str
    corpus: str
    """`synthetic`, or the source of the raw files. Synthetic figures say nothing about Amazon's customers."""
    notice: str | None
    """What a reader must know before quoting a figure; null when there is nothing."""
    corpus_hash: str
    corpus_statistics: dict[str, Any]
    hr1: Estimate
    """The headline: PULSE's HR@1 on the test users."""
    systems: dict[str, SystemResult]
    """Test figures by system: pulse, sasrec, no_reason, untrained_slm, brand_repeat, popularity, chance, others."""
    comparisons: dict[str, Comparison]
    """PULSE's paired tests against every other system, on the test users."""
    validation: dict[str, SystemResult]
    sasrec_all_users: SystemResult
    """SASRec on every test user, sampled or not."""
    protocol: Protocol
    models: dict[str, str]
    settings: dict[str, dict[str, Any]]
    """The configuration's sections that the figures follow from."""
    prompts: dict[str, str]
    """SHA-256 of each prompt template."""
    seeds: dict[str, int]
    versions: dict[str, str]
    stages: dict[str, StageTime]
    total_seconds: float
    """Sum of the stages' wall times (more than the elapsed time where stages ran side by side)."""
    why_recall: WhyRecall | None = None
    leak_audit: LeakAudit | None = None
    """Null where selection was asked to see the target (`behaviour: oracle`)."""
    neighbour_leak: dict[str, Any] | None = None
    """How often neighbours' items hold the target, training against test, as the SASRec stage measured it."""


def hr1_schema() -> dict[str, Any]:
    """The JSON Schema of hr1.json."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Hr1.model_json_schema()}
