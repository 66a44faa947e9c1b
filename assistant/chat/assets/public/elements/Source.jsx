// The side panel: a whole article as text, its quote highlighted and brought into view.
import { useEffect, useRef } from "react"

export default function Source() {
  const quote = useRef(null)

  useEffect(() => {
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

  return (
    <article className="dl-source">
      <header>
        <h2><bdi>{props.title}</bdi></h2>
        <p className="dl-byline">
          <bdi className="dl-publisher">{props.publisher}</bdi>
          <span>{props.dated}</span>
        </p>
        <p className="dl-file">
          <bdi>{props.source}</bdi>
          {props.page ? <span>page {props.page}</span> : null}
        </p>
        {props.url ? (
          <p className="dl-file">
            <a href={props.url} target="_blank" rel="noopener noreferrer">{props.url}</a>
          </p>
        ) : null}
        {props.stands ? null : (
          <p className="dl-note" role="status">
            The quote is no longer at its place in this article, so nothing is highlighted. Ask again for a current answer.
          </p>
        )}
        {props.cut ? <p className="dl-note">{props.cut}</p> : null}
      </header>
      <div className="dl-article" tabIndex={0} aria-label="Article text">
        {props.before}
        {props.stands ? <mark ref={quote}>{props.quote}</mark> : null}
        {props.after}
      </div>
    </article>
  )
}
