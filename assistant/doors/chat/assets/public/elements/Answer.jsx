// An answer: its text with a button at every mark, its dates, what sources agree on, its sources.
// All that comes from an article is a string here and shown as text; nothing is parsed as markup.
import { useEffect, useRef, useState } from "react"
import { HoverCard, HoverCardContent, HoverCardTrigger } from "@/components/ui/hover-card"

const words = window.dateline.words
const say = window.dateline.say

function age(day) {
  if (!day) return words.undated
  const [y, m, d] = day.split("-").map(Number)
  const now = new Date()
  const days = Math.round((Date.UTC(now.getFullYear(), now.getMonth(), now.getDate()) - Date.UTC(y, m - 1, d)) / 86400000)
  if (days === 0) return words.today
  if (days < 0) return days === -1 ? words.inADay : say("inDays", { n: (-days).toLocaleString("en") })
  return days === 1 ? words.dayAgo : say("daysAgo", { n: days.toLocaleString("en") })
}

// The page asks for the article with the citation and those beside it, so that a chip still works
// when the server was started anew.
function open(list, at) {
  callAction({ name: "open_source", payload: { list, at, nearest: list === props.closest } })
}

function About({ citation }) {
  return (
    <span className="dl-about">
      <bdi className="dl-publisher">{citation.publisher || words.publisherUnknown}</bdi>
      <span className="dl-day">
        {citation.published ? `${citation.day}, ${age(citation.published)}` : words.undated}
      </span>
    </span>
  )
}

function Mark({ list, number }) {
  const [hovered, setHovered] = useState(false)
  const opening = useRef(false)
  const at = list.findIndex((c) => String(c.number) === String(number))
  if (at < 0) return <span>[{number}]</span>
  // A card that appears after the click would close the panel that the click opens on a narrow page.
  const choose = () => {
    opening.current = true
    setTimeout(() => (opening.current = false), 1500)
    setHovered(false)
    open(list, at)
  }
  const citation = list[at]
  return (
    <HoverCard open={hovered} onOpenChange={(is) => setHovered(is && !opening.current)} openDelay={120} closeDelay={80}>
      <HoverCardTrigger asChild>
        <button type="button" className="dl-mark" aria-label={citation.label} onClick={choose}>
          {number}
        </button>
      </HoverCardTrigger>
      <HoverCardContent className="dl-hover" side="top" collisionPadding={12}>
        <About citation={citation} />
        <bdi className="dl-title">{citation.title}</bdi>
        <span className="dl-hover-quote">“<bdi>{citation.quote}</bdi>”</span>
        <span className="dl-hint">
          <bdi>{citation.source}</bdi>
          {citation.page ? `, ${say("page", { n: citation.page })}` : ""}
        </span>
      </HoverCardContent>
    </HoverCard>
  )
}

function Marks({ numbers, list }) {
  return numbers.map((n) => <Mark key={n} number={n} list={list} />)
}

function Pieces({ pieces, list }) {
  return pieces.map((piece, i) => {
    if (piece.kind === "mark") return <Mark key={i} number={piece.text} list={list} />
    if (piece.kind === "strong") return <strong key={i}>{piece.text}</strong>
    // A mark stays on the line of the word before it.
    const isMarked = pieces[i + 1]?.kind === "mark"
    return <bdi key={i}>{isMarked ? piece.text.replace(/\s+$/, "\u00a0") : piece.text}</bdi>
  })
}

function SourceCard({ list, at }) {
  const citation = list[at]
  return (
    <li>
      <button type="button" className="dl-card" aria-label={citation.label} onClick={() => open(list, at)}>
        <span className="dl-card-head">
          <span className="dl-number" aria-hidden="true">{citation.number}</span>
          <About citation={citation} />
        </span>
        <bdi className="dl-title">{citation.title}</bdi>
        <span className="dl-quote">“<bdi>{citation.quote}</bdi>”</span>
      </button>
    </li>
  )
}

function When({ when, list }) {
  return (
    <div className="dl-fact">
      <span className="dl-fact-name">{words.date}</span>
      <span>
        <strong>{when.date}</strong>{" "}
        <span className={`dl-badge dl-${when.lies}`} title={say("asOf", { day: props.asOf })}>{when.distance}</span>{" "}
        <span className="dl-muted"><bdi>{when.rule}</bdi></span> <Marks numbers={when.citations} list={list} />
      </span>
    </div>
  )
}

function Agreement({ agreement, list }) {
  if (agreement.kind === "one") return <p className="dl-note-line">{words.oneSource}</p>
  if (agreement.kind === "agree")
    return (
      <div className="dl-fact">
        <span className="dl-fact-name">{say("agree", { n: agreement.count })}</span>
        <span>
          {agreement.values.map((a, i) => (
            <span key={i}><bdi>{a.value}</bdi> <Marks numbers={a.citations} list={list} /></span>
          ))}
        </span>
      </div>
    )
  if (agreement.kind !== "differ") return null
  return (
    <table className="dl-differ">
      <caption>{words.differ}</caption>
      <thead>
        <tr><th scope="col">{words.value}</th><th scope="col">{words.statedBy}</th></tr>
      </thead>
      <tbody>
        {agreement.values.map((a, i) => (
          <tr key={i}>
            <th scope="row"><bdi>{a.value}</bdi></th>
            <td>
              {list.filter((c) => a.citations.includes(c.number)).map((c) => (
                <span key={c.number} className="dl-stated">
                  <bdi>{c.publisher || c.title}</bdi>, {c.day} <Mark list={list} number={c.number} />
                </span>
              ))}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
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
    <button type="button" className="dl-action" onClick={copy}>
      <span aria-live="polite">{done ? words.copied : words.copy}</span>
    </button>
  )
}

// Questions to ask next come after the answer is drawn. They do not come as its props, for Chainlit
// closes the panel that is open when any element of the page changes.
function useNext() {
  const [next, setNext] = useState(window.dateline.next[props.element])
  useEffect(() => {
    const hear = ({ origin, data }) =>
      origin === location.origin && data?.dateline === "next" && data.answer === props.element && setNext(data.questions)
    window.addEventListener("message", hear)
    return () => window.removeEventListener("message", hear)
  }, [])
  return next || props.followUps || []
}

export default function Answer() {
  const next = useNext()
  const missing = props.status === "not_in_corpus"
  const list = props.citations
  const sources = missing ? props.closest : list
  return (
    <div className={missing ? "dl-answer dl-missing" : "dl-answer"} data-status={props.status}>
      {missing ? <p className="dl-status">{props.notFound}</p> : null}
      {props.within ? <p className="dl-note-line">{say("within", { limits: props.within })}</p> : null}
      <div className="dl-text">
        {props.lines.map((line, i) => (
          <p key={i} className={line.isItem ? "dl-item" : line.isLead ? "dl-lead" : undefined}>
            <Pieces pieces={line.pieces} list={list} />
          </p>
        ))}
      </div>
      {props.dates.map((when, i) => <When key={i} when={when} list={list} />)}
      <Agreement agreement={props.agreement} list={list} />
      {sources.length ? (
        <section className="dl-sources" aria-label={missing ? props.nearest : words.sources}>
          <h2>{missing ? props.nearest : words.sources}</h2>
          <ol>
            {sources.map((c, i) => <SourceCard key={c.number} list={sources} at={i} />)}
          </ol>
        </section>
      ) : null}
      {next.length ? (
        <section className="dl-next" aria-label={words.followUps}>
          <h2>{words.followUps}</h2>
          <ul>
            {next.map((question) => (
              <li key={question}>
                <button type="button" className="dl-follow-up" onClick={() => sendUserMessage(question)}>
                  <bdi>{question}</bdi>
                </button>
              </li>
            ))}
          </ul>
        </section>
      ) : null}
      <div className="dl-actions">
        <Copy text={props.plain} />
      </div>
    </div>
  )
}
