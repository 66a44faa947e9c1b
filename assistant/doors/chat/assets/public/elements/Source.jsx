// The side panel: a whole article as text, its quote highlighted and brought into view, with the
// citations before and after it.
import { useEffect, useRef } from "react"

const words = window.dateline.words
const say = window.dateline.say

function Step({ list, at, by, label, sign }) {
  const there = list[at + by]
  return (
    <button
      type="button"
      className="dl-step"
      aria-label={label}
      title={label}
      disabled={!there}
      data-by={by}
      onClick={() => {
        window.dateline.stepped = by
        callAction({ name: "open_source", payload: { list, at: at + by, nearest: props.nearest } })
      }}
    >
      {sign}
    </button>
  )
}

export default function Source() {
  const quote = useRef(null)
  const panel = useRef(null)

  useEffect(() => {
    window.dateline.opened = () =>
      props.list
        ? callAction({ name: "open_source", payload: { list: props.list, at: props.at, nearest: props.nearest } })
        : window.postMessage({ dateline: "article", source: props.source }, location.origin)
    const back = window.dateline.back
    window.dateline.back = null
    if (back) {
      // Its reader is somewhere else in the page by now: the keyboard stays there.
      const scrolled = [...document.querySelectorAll(".overflow-auto")].findLast((e) => e.contains(panel.current))
      const restore = () => scrolled.scrollTo({ top: back.top })
      restore()
      const later = setTimeout(restore, 350)
      return () => clearTimeout(later)
    }
    // The keyboard follows into the panel, and stays at the button that leads on.
    const on = panel.current.querySelector(`.dl-step[data-by="${window.dateline.stepped}"]:enabled`)
    window.dateline.stepped = null
    if (!panel.current.contains(document.activeElement) && document.activeElement !== document.body)
      window.dateline.openedFrom = document.activeElement
    const into = on || panel.current.querySelector(".dl-article")
    into.focus({ preventScroll: true })
    const mark = quote.current
    if (!mark) return
    // A quote taller than half the view is shown from its beginning.
    const show = () =>
      mark.scrollIntoView({ block: mark.offsetHeight > window.innerHeight / 2 ? "start" : "center" })
    show()
    // Once more when the panel has slid in and taken its final width.
    const later = setTimeout(show, 350)
    return () => clearTimeout(later)
  }, [])

  const file = props.file && (props.page ? `${props.file}#page=${props.page}` : props.file)
  return (
    <article className="dl-source" data-panel="source" ref={panel}>
      <header>
        {props.list ? (
          <nav className="dl-steps" aria-label={words.sources}>
            <Step list={props.list} at={props.at} by={-1} label={words.earlier} sign="‹" />
            <span aria-live="polite">
              {say(props.nearest ? "ofNearest" : "ofCitations", { n: props.list[props.at].number, total: props.list.length })}
            </span>
            <Step list={props.list} at={props.at} by={1} label={words.later} sign="›" />
          </nav>
        ) : null}
        <h2><bdi>{props.title}</bdi></h2>
        <p className="dl-byline">
          <bdi className="dl-publisher">{props.publisher}</bdi>
          <span>{props.dated}</span>
        </p>
        <p className="dl-file">
          <bdi className="dl-path">{props.source}</bdi>
          {props.page ? <span>{say("page", { n: props.page })}</span> : null}
          {file ? (
            <a href={file} target="_blank" rel="noopener noreferrer">
              {props.page ? say("openPdf", { n: props.page }) : words.openFile}
            </a>
          ) : null}
          {props.url ? (
            <a href={props.url} target="_blank" rel="noopener noreferrer" title={props.url}>{words.original}</a>
          ) : null}
        </p>
        {props.stands === false ? <p className="dl-note" role="status">{words.moved}</p> : null}
        {props.cut ? <p className="dl-note">{say("cut", props.cut)}</p> : null}
      </header>
      <div className="dl-article" tabIndex={0} role="region" aria-label={words.articleText}>
        {props.before}
        {props.stands ? <mark ref={quote}>{props.quote}</mark> : null}
        {props.after}
      </div>
    </article>
  )
}
