"""Every path of a run below results/ and resources/, with Snakemake's wildcards. Nothing else spells one out."""

DOMAIN = "results/{domain}"
INTERACTIONS = f"{DOMAIN}/corpus/interactions.parquet"
USERS = f"{DOMAIN}/corpus/users.parquet"
CATALOGUE = f"{DOMAIN}/corpus/items.parquet"
REVIEWS = f"{DOMAIN}/corpus/reviews.parquet"
STATISTICS = f"{DOMAIN}/corpus/statistics.json"
EXAMPLES = f"{DOMAIN}/examples.parquet"
SASREC_MODEL = f"{DOMAIN}/sasrec/model.safetensors"
SASREC_STATES = f"{DOMAIN}/sasrec/states.parquet"
SASREC_METRICS = f"{DOMAIN}/sasrec/metrics.json"
CANDIDATES = f"{DOMAIN}/candidates.parquet"
NEIGHBOURS = f"{DOMAIN}/neighbours.parquet"
NEIGHBOUR_LEAK = f"{DOMAIN}/neighbours-leak.json"
POSITIVE_RATIONALES = f"{DOMAIN}/rationales/positive.parquet"
BASE_RATIONALES = f"{DOMAIN}/rationales/base.parquet"
TREE = f"{DOMAIN}/tree.parquet"
POSITIVE_SHARD = f"{DOMAIN}/shards/positive/{{scatteritem}}.parquet"
BASE_SHARD = f"{DOMAIN}/shards/base/{{scatteritem}}.parquet"
TREE_SHARD = f"{DOMAIN}/shards/tree/{{scatteritem}}.parquet"
RATIONALE_ENCODER = f"{DOMAIN}/thought_space/rationale_encoder/model.safetensors"
HISTORY_ENCODER = f"{DOMAIN}/thought_space/history_encoder/model.safetensors"
THOUGHT_SPACE_TRAINING = f"{DOMAIN}/thought_space/training.json"
SELECTED = f"{DOMAIN}/selected/{{scorer}}.parquet"
RANKERS = f"{DOMAIN}/rankers"
RANKER_ADAPTER = f"{RANKERS}/{{variant}}/adapter/adapter_model.safetensors"
RANKER_PREDICTIONS = f"{RANKERS}/{{variant}}/predictions.parquet"
RANKER_TRAINING = f"{RANKERS}/{{variant}}/training.json"
ORACLE_PREDICTIONS = f"{DOMAIN}/leak_audit/predictions.parquet"
BASELINE_PREDICTIONS = f"{DOMAIN}/baselines/{{system}}/predictions.parquet"
BASELINE_METRICS = f"{DOMAIN}/baselines/{{system}}/metrics.json"
BASELINE_MODEL = f"{DOMAIN}/baselines/{{system}}/model.safetensors"
HR1 = f"{DOMAIN}/hr1.json"
# Journals and checkpoints of running stages: outside the outputs, which Snakemake deletes when a job fails.
WORK = f"{DOMAIN}/.work/{{stage}}"

TABLE = "results/tables/{table}"

MODEL_WEIGHTS = "resources/models/{model}/model.safetensors"
SYNTHETIC = "resources/synthetic/{domain}"
SYNTHETIC_REVIEWS = f"{SYNTHETIC}/reviews.jsonl.gz"
SYNTHETIC_METADATA = f"{SYNTHETIC}/metadata.jsonl.gz"
TRUTH = f"{SYNTHETIC}/truth.parquet"
TRUTH_DRIVERS = f"{SYNTHETIC}/truth-drivers.json"


def fill(pattern: str, **wildcards: str) -> str:
    """`pattern` with these wildcards replaced by their values; the others stay."""
    for name, value in wildcards.items():
        pattern = pattern.replace(f"{{{name}}}", value)
    return pattern


def of_domain(pattern: str) -> str:
    """The path below a domain's folder, for programs that are given that folder."""
    return pattern.removeprefix(f"{DOMAIN}/")
