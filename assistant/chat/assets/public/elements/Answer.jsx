// An answer: its text with a button at every mark, what it says of dates and agreement, its sources.
// All that comes from an article is a string here and shown as text; nothing is parsed as markup.
import { useState } from "react"

function open(citation) {
  const { chip, label, day, ...payload } = citation
  callAction({ name: "open_source", payload })
}

function Mark({ citation, number }) {
  if (!citation) return <span>[{number}]</span>
  return (
    <button type="button" className="dl-mark" aria-label={citation.label} title={citation.chip} onClick={() => open(citation)}>
      {number}
    </button>
  )
}

function Marks({ numbers, byNumber }) {
  return numbers.map((n) => <Mark key={n} number={n} citation={byNumber[n]} />)
}

function Pieces({ pieces, byNumber }) {
  return pieces.map((piece, i) => {
    if (piece.kind === "mark") return <Mark key={i} number={piece.text} citation={byNumber[piece.text]} />
    if (piece.kind === "strong") return <strong key={i}>{piece.text}</strong>
    // A mark stays on the line of the word before it.
    const isMarked = pieces[i + 1]?.kind === "mark"
    return <bdi key={i}>{isMarked ? piece.text.replace(/\s+$/, "\u00a0") : piece.text}</bdi>
  })
}

function SourceCard({ citation }) {
  return (
    <li>
      <button type="button" className="dl-card" aria-label={citation.label} onClick={() => open(citation)}>
        <span className="dl-card-head">
          <span className="dl-number" aria-hidden="true">{citation.number}</span>
          <bdi className="dl-publisher">{citation.publisher || "Publisher not named"}</bdi>
          <span className="dl-day">{citation.day}</span>
        </span>
        <bdi className="dl-title">{citation.title}</bdi>
        <span className="dl-quote">“<bdi>{citation.quote}</bdi>”</span>
      </button>
    </li>
  )
}

function Copy({ text }) {
  const [done, setDone] = useState(false)
  const copy = () =>
    navigator.clipboard.writeText(text).then(() => {
      setDone(true)
      setTimeout(() => setDone(false), 2000)
    })
  return (
    <button type="button" className="dl-copy" onClick={copy}>
      <span aria-live="polite">{done ? "Copied" : "Copy with sources"}</span>
    </button>
  )
}

function Report({ turn }) {
  const [done, setDone] = useState(false)
  const report = () =>
    callAction({ name: "report_answer", payload: { turn } }).then((result) => setDone(result?.response !== false))
  return (
    <button type="button" className="dl-copy" disabled={done} onClick={report}>
      <span aria-live="polite">{done ? "Reported, thank you" : "Report as wrong"}</span>
    </button>
  )
}

export default function Answer() {
  const missing = props.status === "not_in_corpus"
  const byNumber = Object.fromEntries(props.citations.map((c) => [String(c.number), c]))
  const sources = missing ? props.closest : props.citations
  return (
    <div className={missing ? "dl-answer dl-missing" : "dl-answer"} data-status={props.status}>
      {missing ? <p className="dl-status">{props.notFound}</p> : null}
      <div className="dl-text">
        {props.lines.map((line, i) => (
          <p key={i} className={line.isItem ? "dl-item" : undefined}>
            <Pieces pieces={line.pieces} byNumber={byNumber} />
          </p>
        ))}
      </div>
      {props.dates.map((when, i) => (
        <p key={i} className="dl-fact">
          <span className="dl-fact-name">Date</span>
          <span>
            <strong>{when.date}</strong> <bdi>{when.reckoning}</bdi> <Marks numbers={when.citations} byNumber={byNumber} />
          </span>
        </p>
      ))}
      {props.agreement.lead ? (
        <p className="dl-fact">
          <span className="dl-fact-name">{props.agreement.lead}</span>
          <span>
            {props.agreement.values.map((a, i) => (
              <span key={i} className="dl-value">
                <bdi>{a.value}</bdi> <Marks numbers={a.citations} byNumber={byNumber} />
              </span>
            ))}
          </span>
        </p>
      ) : null}
      {sources.length ? (
        <section className="dl-sources" aria-label={missing ? props.nearest : "Sources"}>
          <h3>{missing ? props.nearest : "Sources"}</h3>
          <ol>
            {sources.map((c) => (
              <SourceCard key={c.number} citation={c} />
            ))}
          </ol>
        </section>
      ) : null}
      <div className="dl-actions">
        <Copy text={props.plain} />
        {props.turn ? <Report turn={props.turn} /> : null}
      </div>
    </div>
  )
}
