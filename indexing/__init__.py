"""The document side: articles in, passages with vectors out."""

import os

# Libraries that report to their makers, or fetch models, decide as they are imported: say no first.
# What the user has set stands.
for _switch, _value in {
    "ANONYMIZED_TELEMETRY": "False",  # chromadb
    "HF_HUB_OFFLINE": "1",  # transformers and sentence-transformers
    "LANGSMITH_TRACING": "false",  # langchain
    "ORT_DISABLE_TELEMETRY": "1",  # onnxruntime, which else leaves an identity in the home folder
    "RAGAS_DO_NOT_TRACK": "true",  # ragas; no other word will do
    "TOKENIZERS_PARALLELISM": "false",  # and it warns at every fork
}.items():
    os.environ.setdefault(_switch, _value)
