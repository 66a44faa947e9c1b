"""PROVISIONAL STUB by the lead so that the service runs; the retrieval engineer overwrites it."""

from __future__ import annotations

from typing import Any

from assistant.schema import Filters, Hit
from assistant.understand import content_terms


class Retriever:
    def __init__(self, index: Any, embedder: Any, reranker: Any) -> None:
        self.index, self.embedder = index, embedder

    def search(self, question: str, k: int, filters: Filters) -> list[Hit]:
        d = self.index.dense(self.embedder.embed_query(question), 50, filters)
        m = " OR ".join(f'"{t}"' for t in content_terms(question)) or '"x"'
        l = self.index.lexical(m, 50, filters)
        s: dict[int, float] = {}
        for r in (d, l):
            for i, (x, _) in enumerate(r):
                s[x] = s.get(x, 0) + 1 / (61 + i)
        top = sorted(s, key=lambda x: -s[x])[:k]
        p = self.index.passages(top)
        dd, ll = dict(d), dict(l)
        return [Hit(*p[i], dd.get(i), ll.get(i), s[i]) for i in top if i in p]


def as_langchain(retriever: Retriever, k: int, filters: Filters) -> Any:
    from langchain_core.documents import Document
    from langchain_core.retrievers import BaseRetriever

    class R(BaseRetriever):
        def _get_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:
            return [
                Document(page_content=h.passage.text, metadata={"hit": h})
                for h in retriever.search(query, k, filters)
            ]

    return R()
