"""Answer quality under test: questions with known answers, metrics, and the gate over them."""

import os

# Ragas reports to its makers unless this is set, to exactly this word, before it is imported.
os.environ["RAGAS_DO_NOT_TRACK"] = "true"
